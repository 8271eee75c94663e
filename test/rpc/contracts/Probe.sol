// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What Probe creates, calls in every way, and destroys.
contract Child {
  uint256 public pings;

  event Pinged(address indexed by, uint256 pings);

  constructor() payable {}

  receive() external payable {}

  function ping() external payable returns (uint256) {
    pings += 1;
    emit Pinged(msg.sender, pings);
    return pings;
  }

  function look() external view returns (uint256) {
    return pings;
  }

  function destroy(address payable to) external {
    selfdestruct(to);
  }
}

/// @notice Does everything that a trace, a proof or a log query should show, and what a node must survive.
contract Probe {
  uint256 public pings;
  Child public child;
  mapping(uint256 key => uint256 value) public values;

  error Refused(uint256 code);
  event Stored(address indexed by, uint256 indexed key, uint256 value);

  receive() external payable {}

  function store(uint256 key, uint256 value) external returns (uint256) {
    values[key] = value;
    emit Stored(msg.sender, key, value);
    return value;
  }

  function fail(string calldata reason) external pure {
    revert(reason);
  }

  function failCustom(uint256 code) external pure {
    revert Refused(code);
  }

  function failPanic() external pure returns (uint256) {
    uint256[] memory none = new uint256[](0);
    return none[1];
  }

  function make() external payable {
    child = new Child{value: msg.value}();
  }

  function makeAt(bytes32 salt) external payable returns (address) {
    return address(new Child{salt: salt, value: msg.value}());
  }

  /// @notice A call with value, a delegate call, a static call, a call that fails, and a precompile.
  function callEverything() external payable returns (uint256) {
    child.ping{value: msg.value}();
    (bool delegated, ) = address(child).delegatecall(abi.encodeCall(Child.ping, ()));
    require(delegated, "delegate call failed");
    (bool failed, ) = address(this).call(abi.encodeCall(this.fail, ("inner")));
    require(!failed, "expected a failure");
    return child.look() + uint256(sha256("x"));
  }

  /// @notice A contract that lives for one transaction alone.
  function makeAndDestroy() external payable {
    Child brief = new Child{value: msg.value}();
    brief.destroy(payable(msg.sender));
  }

  function spin() external pure {
    while (true) {}
  }

  function grow(uint256 words) external pure returns (uint256) {
    uint256[] memory much = new uint256[](words);
    return much.length;
  }

  function nest(uint256 depth) external view returns (uint256) {
    return depth == 0 ? 0 : 1 + this.nest(depth - 1);
  }
}
