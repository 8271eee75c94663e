// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Deposit, Leaf, Leaves} from "./Leaves.sol";
import {OutboxTree} from "./OutboxTree.sol";
import {SignerSets} from "./SignerSets.sol";
import {WrappedToken} from "./WrappedToken.sol";

/// @notice Whose word an import is: the packed set, who of it signed, and the preimages of the batch's data leaves.
/// @param relayers Threshold byte, 20 bytes each: the set in force, or the one that the batch's last RELAYER_SET installs.
/// @param data For each LIST and RELAYER_SET leaf of the batch, in order, what its dataHash is the keccak of.
struct Attestation {
    bytes relayers;
    uint256 bitmap;
    bytes signatures;
    bytes[] data;
}

/// @title The sidechain's end of the peg, a predeploy at 0x…1001
/// @notice Mints imported deposits out of a pre-funded balance and burns withdrawals into the outbox tree.
///
/// There is no constructor: the genesis writes every storage word, and the node reads them directly, so the order of
/// the variables below is part of the chain's format (bridge/encoding/gatewaySlots.ts).
///
/// Invariants:
///  - imports are a prefix of the vault's deposits, in order and without gaps: `importedHash` is the vault's hash
///    chain after `importedCount` deposits; importing twice is impossible;
///  - crediting never reverts: what a recipient does not take is parked for it;
///  - mintedWei = backed + imported, burnedWei = withdrawn; what circulates is their difference, whatever balances say;
///    of a token its clone's totalSupply circulates, which the gateway alone moves;
///  - the relayer set changes only by a leaf of the deposit chain;
///  - each withdrawal is a leaf of the outbox tree at its nonce, for ever.
contract PegGateway is ReentrancyGuardTransient {
    uint256 public constant MAX_DEPOSITS = 300;
    /// @notice The code of which clones are made, a predeploy too.
    address public constant WRAPPED_TOKEN = 0x0000000000000000000000000000000000001007;
    /// @notice Smallest burn, wei; the smallest deposit is the same.
    uint256 public constant MIN_AMOUNT = 0.00001 ether;
    /// @notice Gas that a recipient gets with its credit.
    uint256 public constant CREDIT_GAS = 30_000;
    /// @dev What must be left before each credit, so that the recipient gets CREDIT_GAS whole and a failure can still
    /// be parked: 63/64 rule, value transfer (9,000), new account (25,000), cold access (2,600), parking (22,100),
    /// event, and a margin. With less the whole import reverts, and nobody can make a credit fail by stinginess.
    uint256 private constant CREDIT_GAS_FLOOR = 110_000;

    bytes32 private constant ATTESTATION_TYPEHASH = keccak256(
        "DepositAttestation(uint256 l1ChainId,address vault,uint64 n,bytes32 hash,uint64 relayerEpoch)"
    );
    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    );
    bytes32 private constant NAME_HASH = keccak256("Causeway");
    bytes32 private constant VERSION_HASH = keccak256("1");

    uint64 public importedCount;
    uint64 public outboxCount;
    uint64 public relayerEpoch;
    uint8 public relayerThreshold;
    bytes32 public importedHash;
    bytes32 public outboxRoot;
    uint256 public mintedWei;
    uint256 public burnedWei;
    uint256 public l1ChainId;
    address public vault;
    /// @notice Hash of the chain's specification: what attestations are bound to beside chain and contract.
    bytes32 public specHash;
    /// @notice keccak of the packed relayer set.
    bytes32 public relayersHash;
    /// @notice The same set for reading: the node admits import transactions from its members only.
    address[] private _relayers;
    mapping(address recipient => bool refused) private _refused;
    mapping(address token => mapping(address account => uint256 amount)) private _parked;
    bytes32[32] private _branch;
    /// @notice Where the escape pays what a contract owns; set by the contract itself.
    mapping(address account => address recipient) public exitRecipient;
    /// @notice A listed token's clone, by its L1 address; zero while it is not listed.
    mapping(address token => address wrapped) public wrappedOf;

    /// @param credited False if the recipient did not take it and it is parked.
    event Imported(uint64 indexed nonce, address indexed recipient, address token, uint256 amount, bool credited);
    event Burned(
        uint64 indexed nonce,
        address indexed sender,
        address indexed recipient,
        uint8 kind,
        address token,
        uint256 amount,
        uint256 fee,
        bytes32 dataHash,
        bytes32 leaf
    );
    event ParkedWithdrawn(address indexed account, address indexed to, uint256 amount);
    event TokenListed(address indexed token, address indexed wrapped);
    event RelayersRotated(uint64 indexed relayerEpoch);
    event ExitRecipientSet(address indexed account, address indexed recipient);

    /// @notice Imports are top-level calls of plain accounts, so that every import is visible in its block.
    error NotTopLevel(address caller);
    error NotContiguous(uint64 expected, uint64 found);
    error BatchOutOfRange(uint256 maximum, uint256 found);
    error WrongRelayers(bytes32 expected, bytes32 found);
    /// @notice A leaf that this gateway cannot credit. The vault makes no such leaf: it could only come from forgery.
    error UnsupportedDeposit(uint64 nonce, uint8 kind);
    /// @notice A leaf's data is missing, spare, or not what its dataHash says.
    error WrongData(uint256 leaf);
    error NotListed(address token);
    error NotEnoughGas(uint256 needed, uint256 left);
    /// @notice Nothing could be paid there: a reserved address or a contract of the peg.
    error RecipientRefused(address recipient);
    error AmountOutOfRange(uint256 minimum, uint256 maximum, uint256 found);
    error NothingParked(address account);
    error TransferFailed(address to, uint256 amount);

    /// @notice Mints the deposits `firstNonce` … in order, with the relayers' word that the vault's hash chain after
    /// them is what they fold to. Validators compare it with their own view of the L1 before they vote.
    function importDeposits(
        uint64 firstNonce,
        Deposit[] calldata deposits,
        Attestation calldata attestation
    ) external nonReentrant {
        // solhint-disable-next-line avoid-tx-origin
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotTopLevel(msg.sender);
        if (firstNonce != importedCount) revert NotContiguous(importedCount, firstNonce);
        if (deposits.length == 0 || deposits.length > MAX_DEPOSITS)
            revert BatchOutOfRange(MAX_DEPOSITS, deposits.length);

        (bytes32 hash, uint256 sum) = _fold(firstNonce, deposits);
        uint64 count = firstNonce + uint64(deposits.length);
        _requireRelayerLock(count, hash, deposits, attestation);

        importedCount = count;
        importedHash = hash;
        mintedWei += sum;
        uint256 used = 0;
        for (uint256 i = 0; i < deposits.length; ++i) {
            Deposit calldata d = deposits[i];
            if (d.kind <= Leaves.KIND_ERC20) {
                _credit(firstNonce + uint64(i), d);
                continue;
            }
            if (used >= attestation.data.length || keccak256(attestation.data[used]) != d.dataHash) {
                revert WrongData(i);
            }
            if (d.kind == Leaves.KIND_LIST) _list(d.token, attestation.data[used]);
            else _install(uint64(d.amount), attestation.data[used]);
            ++used;
        }
        if (used != attestation.data.length) revert WrongData(deposits.length);
    }

    /// @notice Burns the value sent; the same amount can be claimed by `recipient` on the L1 once anchored.
    function withdraw(address recipient) external payable nonReentrant returns (uint64 nonce) {
        _requireWithdrawable(recipient, MIN_AMOUNT, msg.value);
        burnedWei += msg.value;
        nonce = _append(Leaves.KIND_NATIVE, address(0), recipient, msg.value);
    }

    /// @notice Burns `amount` of the caller's clone of `token`, the L1 address; no approval is needed.
    function withdrawToken(
        address token,
        address recipient,
        uint256 amount
    ) external nonReentrant returns (uint64 nonce) {
        address wrapped = wrappedOf[token];
        if (wrapped == address(0)) revert NotListed(token);
        _requireWithdrawable(recipient, 1, amount);
        WrappedToken(wrapped).burn(msg.sender, amount);
        nonce = _append(Leaves.KIND_ERC20, token, recipient, amount);
    }

    /// @notice Where the caller is paid on the L1 if the sidechain dies; zero: nowhere. Plain accounts need none: they
    /// are paid at their own address.
    function setExitRecipient(address recipient) external {
        if (recipient != address(0)) _requireRecipient(recipient);
        exitRecipient[msg.sender] = recipient;
        emit ExitRecipientSet(msg.sender, recipient);
    }

    /// @notice Sends the caller's parked credits anywhere.
    function withdrawParked(address to) external nonReentrant {
        if (to == address(0)) revert RecipientRefused(to);
        uint256 amount = _parked[address(0)][msg.sender];
        if (amount == 0) revert NothingParked(msg.sender);
        delete _parked[address(0)][msg.sender];
        emit ParkedWithdrawn(msg.sender, to, amount);
        if (!_send(to, amount, gasleft())) revert TransferFailed(to, amount);
    }

    /// @notice Parked ether of an account, wei.
    function parked(address account) external view returns (uint256) {
        return _parked[address(0)][account];
    }

    /// @notice The relayers of `relayerEpoch`, ascending.
    function relayerAddresses() external view returns (address[] memory) {
        return _relayers;
    }

    /// @notice True for an L1 contract of the peg or a listed token, to which no withdrawal may go.
    function isRefusedRecipient(address recipient) public view returns (bool) {
        return uint160(recipient) < 2 ** 16 || _refused[recipient];
    }

    /// @dev The vault's hash chain over the batch, and what the batch mints.
    function _fold(uint64 firstNonce, Deposit[] calldata deposits) private view returns (bytes32 hash, uint256 sum) {
        (uint256 sourceId, address source) = (l1ChainId, vault);
        hash = importedHash;
        for (uint256 i = 0; i < deposits.length; ++i) {
            Deposit calldata d = deposits[i];
            uint64 nonce = firstNonce + uint64(i);
            if (!_isSupported(d)) revert UnsupportedDeposit(nonce, d.kind);
            Leaf memory leaf = Leaf(d.kind, nonce, d.token, d.sender, d.recipient, d.amount, d.fee, d.dataHash);
            hash = Leaves.chain(hash, Leaves.hash(leaf, sourceId, block.chainid, source, address(this)));
            if (d.kind == Leaves.KIND_NATIVE) sum += d.amount;
        }
    }

    /// @dev Exactly the shapes that the vault makes.
    function _isSupported(Deposit calldata d) private pure returns (bool) {
        if (d.fee != 0) return false;
        if (d.kind == Leaves.KIND_NATIVE) return d.token == address(0) && d.dataHash == 0;
        if (d.kind == Leaves.KIND_ERC20) return d.token != address(0) && d.dataHash == 0;
        if (d.kind == Leaves.KIND_LIST) return d.token != address(0) && d.amount == 0;
        return d.kind == Leaves.KIND_RELAYER_SET && d.token == address(0) && d.amount <= type(uint64).max;
    }

    /// @dev The set in force judges, unless the batch installs another: then the last one that it installs.
    function _requireRelayerLock(
        uint64 count,
        bytes32 hash,
        Deposit[] calldata deposits,
        Attestation calldata attestation
    ) private view {
        (bytes32 expected, uint64 epoch) = (relayersHash, relayerEpoch);
        for (uint256 i = 0; i < deposits.length; ++i) {
            Deposit calldata d = deposits[i];
            if (d.kind == Leaves.KIND_RELAYER_SET) (expected, epoch) = (d.dataHash, uint64(d.amount));
        }
        bytes32 found = keccak256(attestation.relayers);
        if (found != expected) revert WrongRelayers(expected, found);
        bytes32 separator = keccak256(
            abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this), specHash)
        );
        bytes32 struct_ = keccak256(abi.encode(ATTESTATION_TYPEHASH, l1ChainId, vault, count, hash, epoch));
        SignerSets.requireRelayerThreshold(
            keccak256(abi.encodePacked(hex"1901", separator, struct_)),
            attestation.relayers,
            attestation.bitmap,
            attestation.signatures
        );
    }

    /// @dev The clone's arguments and its salt follow from the leaf, so that the L1 knows its address too.
    function _list(address token, bytes calldata data) private {
        (uint8 decimals, string memory name, string memory symbol) = abi.decode(data, (uint8, string, string));
        address wrapped = Clones.cloneDeterministicWithImmutableArgs(
            WRAPPED_TOKEN,
            abi.encode(token, decimals, name, symbol),
            bytes32(uint256(uint160(token)))
        );
        wrappedOf[token] = wrapped;
        _refused[token] = true;
        _refused[wrapped] = true;
        emit TokenListed(token, wrapped);
    }

    /// @dev The list is for the node, which admits imports from its members.
    function _install(uint64 epoch, bytes calldata relayers) private {
        SignerSets.requireRelayers(relayers);
        relayerEpoch = epoch;
        relayerThreshold = uint8(relayers[0]);
        relayersHash = keccak256(relayers);
        uint256 count = (relayers.length - 1) / 20;
        while (_relayers.length > count) _relayers.pop();
        for (uint256 i = 0; i < count; ++i) {
            address relayer = address(bytes20(relayers[1 + 20 * i:21 + 20 * i]));
            if (i < _relayers.length) _relayers[i] = relayer;
            else _relayers.push(relayer);
        }
        emit RelayersRotated(epoch);
    }

    function _requireWithdrawable(address recipient, uint256 minimum, uint256 amount) private view {
        _requireRecipient(recipient);
        if (amount < minimum || amount > type(uint128).max) {
            revert AmountOutOfRange(minimum, type(uint128).max, amount);
        }
    }

    function _requireRecipient(address recipient) private view {
        if (isRefusedRecipient(recipient)) revert RecipientRefused(recipient);
    }

    function _append(uint8 kind, address token, address recipient, uint256 amount) private returns (uint64 nonce) {
        nonce = outboxCount;
        Leaf memory leaf = Leaf(kind, nonce, token, msg.sender, recipient, amount, 0, 0);
        bytes32 leafHash = Leaves.hash(leaf, block.chainid, l1ChainId, address(this), vault);
        outboxRoot = OutboxTree.append(_branch, nonce, leafHash);
        outboxCount = nonce + 1;
        emit Burned(nonce, msg.sender, recipient, kind, token, amount, 0, 0, leafHash);
    }

    /// @dev Never reverts for what the recipient does. Parking after the call is safe: every entry is nonReentrant.
    function _credit(uint64 nonce, Deposit calldata d) private {
        if (gasleft() < CREDIT_GAS_FLOOR) revert NotEnoughGas(CREDIT_GAS_FLOOR, gasleft());
        bool credited = true;
        if (d.kind == Leaves.KIND_ERC20) {
            address wrapped = wrappedOf[d.token];
            if (wrapped == address(0)) revert NotListed(d.token);
            // Plain bookkeeping without a hook: there is nothing that a recipient could refuse.
            WrappedToken(wrapped).mint(d.recipient, d.amount);
        } else {
            credited = _send(d.recipient, d.amount, CREDIT_GAS);
            if (!credited) _parked[address(0)][d.recipient] += d.amount;
        }
        emit Imported(nonce, d.recipient, d.token, d.amount, credited);
    }

    /// @dev What the recipient returns is never copied.
    function _send(address to, uint256 amount, uint256 gasLimit) private returns (bool sent) {
        assembly ("memory-safe") {
            sent := call(gasLimit, to, amount, 0, 0, 0, 0)
        }
    }
}
