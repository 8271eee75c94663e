// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// Tokens for tests: one plain, the others named after their fault. Anyone mints.
contract PlainToken is ERC20Permit {
    constructor() ERC20("Plain", "PLN") ERC20Permit("Plain") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

contract TakesFee is ERC20 {
    constructor() ERC20("Takes a fee", "FEE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}

contract Rebases is ERC20 {
    constructor() ERC20("Rebases", "REB") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function shrink(address account, uint256 amount) external {
        _burn(account, amount);
    }
}

contract Blacklists is ERC20 {
    mapping(address account => bool blocked) public isBlocked;

    constructor() ERC20("Blacklists", "BLK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    function _update(address from, address to, uint256 value) internal override {
        require(!isBlocked[to], "blocked");
        super._update(from, to, value);
    }
}

/// Calls `target` on every transfer, as a token with hooks would let a participant do.
contract Hooked is ERC20 {
    address public target;
    bytes public data;
    bool public outcome;

    constructor() ERC20("Hooked", "HKD") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && target != address(0)) (outcome, ) = target.call(data);
    }
}

/// Like the first stable coins: no return value at all.
contract ReturnsNothing {
    string public constant name = "Returns nothing";
    string public constant symbol = "NIL";
    uint8 public constant decimals = 6;
    mapping(address account => uint256 amount) public balanceOf;
    mapping(address owner => mapping(address spender => uint256 amount)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Says false instead of reverting, and moves nothing.
contract ReturnsFalse is ERC20 {
    constructor() ERC20("Returns false", "NOT") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// Accepts any call, `permit` too, like wrapped ether of old.
contract PhantomPermit is ERC20 {
    constructor() ERC20("Phantom", "PHM") {}

    fallback() external {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
