// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice A precommit or prevote as a validator signed it. @param step 1 prevote, 2 precommit
struct SignedVote {
    uint8 step;
    uint64 height;
    uint32 round;
    bytes32 valueId;
    bytes signature;
}

/// @notice A proposal as a validator signed it.
struct SignedProposal {
    uint64 height;
    uint32 round;
    int64 polRound;
    bytes32 payloadHash;
    bytes32 valueId;
    bytes signature;
}

/// @title The validator set, a predeploy at 0x…1000
/// @notice `active` votes on the next height; `pending` replaces it at the epoch's last block, copied by the node
/// itself before the state root. Members come in three steps: Governance approves, the consensus key says `ready` in
/// an epoch, and that epoch's last block makes it active. Anyone may prove that a member signed twice: the node takes
/// it out at an epoch's last block, never a third of the voting power or more at once.
///
/// Storage is part of the chain's format (genesis/validatorSetSlots.ts): an element of a list is one word,
/// address << 96 | uint64 power, strictly ascending by address.
///
/// Invariants:
///  - only Governance approves, removes and changes powers; nobody is an administrator;
///  - `pending` is always a set that the node accepts: 1 to 256 entries, ascending, powers above 0, and together at
///    most 1,000 × its length;
///  - nobody enters `pending` but by an approval that has not lapsed and a signature of this very epoch;
///  - `active` and `jailed` shrink, and the genesis hash is set, by the node alone.
contract ValidatorSet {
    address private constant GOVERNANCE = address(0x1002);
    uint256 private constant MAX_VALIDATORS = 256;
    uint256 private constant MAX_MEAN_POWER = 1_000;
    uint256 private constant APPROVAL_LIFETIME = 30 days;

    bytes32 private constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
    );
    bytes32 private constant NAME_HASH = keccak256("Causeway");
    bytes32 private constant VERSION_HASH = keccak256("1");
    bytes32 private constant READY_TYPEHASH = keccak256("Ready(uint64 epoch)");
    bytes32 private constant PREVOTE_TYPEHASH = keccak256("Prevote(uint64 height,uint32 round,bytes32 valueId)");
    bytes32 private constant PRECOMMIT_TYPEHASH = keccak256("Precommit(uint64 height,uint32 round,bytes32 valueId)");
    bytes32 private constant PROPOSAL_TYPEHASH = keccak256(
        "Proposal(uint64 height,uint32 round,int64 polRound,bytes32 payloadHash,bytes32 valueId)"
    );

    uint8 private constant PREVOTE = 1;
    uint8 private constant PRECOMMIT = 2;

    uint256[] private _active;
    uint256[] private _pending;
    /// @dev Approved by Governance and not ready yet; disjoint from `_pending`.
    uint256[] private _approved;
    /// @dev Members of `_pending` that signed twice, address << 96 each, in the order of the reports.
    uint256[] private _jailed;
    /// @dev Written by the node at height 1, because no genesis can contain its own hash.
    bytes32 private _genesisHash;
    uint64 private _epochLength;
    /// @dev Governance never removes below this.
    uint64 private _leastValidators;
    /// @dev Seconds; an approval is of no use afterwards.
    mapping(address account => uint64 until) private _approvedUntil;
    /// @dev An approval forgives what was signed up to its block, so that old evidence does not count twice.
    mapping(address account => uint64 height) private _forgivenThrough;

    struct Validator {
        address account;
        uint64 power;
    }

    event ValidatorApproved(address indexed account, uint64 power, uint64 until);
    event ValidatorReady(address indexed account, uint64 power, uint64 epoch);
    event ValidatorRemoved(address indexed account);
    event ValidatorPowerChanged(address indexed account, uint64 power);
    event DoubleSigningProven(address indexed account, uint64 height, uint32 round);

    error NotGovernance(address caller);
    error ZeroAccount();
    error AlreadyMember(address account);
    /// @notice Neither pending nor, where that would do, approved.
    error NotAMember(address account);
    error NotApproved(address account);
    error ApprovalLapsed(address account, uint64 until);
    error ZeroPower(address account);
    error TooMuchPower(uint256 most, uint256 found);
    error TooFewValidators(uint256 least, uint256 found);
    error TooManyValidators(uint256 most);
    /// @notice The signature is another key's. A `ready` counts in the epoch for which it was signed only.
    error WrongSigner(address expected, address found);
    /// @notice The two messages are of different heights, rounds, steps or signers.
    error NotComparable();
    /// @notice Two signatures of one message prove nothing.
    error SameMessage();
    error UnknownStep(uint8 step);
    error Forgiven(address account, uint64 throughHeight);
    error AlreadyJailed(address account);
    /// @notice The node has not written the genesis hash yet: it does so at height 1.
    error NoGenesisHash();

    modifier onlyGovernance() {
        if (msg.sender != GOVERNANCE) revert NotGovernance(msg.sender);
        _;
    }

    // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice The set that votes on the next height, ascending by address.
    function active() external view returns (Validator[] memory) {
        return _decode(_active);
    }

    /// @notice The set that becomes active at the end of the epoch.
    function pending() external view returns (Validator[] memory) {
        return _decode(_pending);
    }

    /// @notice Approved by Governance, not ready yet; lapsed ones stay here until the next approval.
    function approved() external view returns (Validator[] memory) {
        return _decode(_approved);
    }

    /// @notice Members that leave at an epoch's last block because they signed twice; powers are zero.
    function jailed() external view returns (Validator[] memory) {
        return _decode(_jailed);
    }

    /// @notice keccak of the packed (address ‖ uint64 power) list of the active set.
    function activeHash() external view returns (bytes32) {
        return _hash(_active);
    }

    /// @notice keccak of the packed (address ‖ uint64 power) list of the pending set.
    function pendingHash() external view returns (bytes32) {
        return _hash(_pending);
    }

    /// @notice The hash of block 0, the salt of everything that consensus keys sign; zero before height 1.
    function genesisHash() external view returns (bytes32) {
        return _genesisHash;
    }

    /// @notice The epoch of this block; heights 1 … epochLength are epoch 1.
    function epoch() public view returns (uint64) {
        return (uint64(block.number) - 1) / _epochLength + 1;
    }

    /// @notice The last block of the epoch of this block.
    function epochEnd() external view returns (uint64) {
        return epoch() * _epochLength;
    }

    /// @notice When an approval lapses, in seconds; zero for an account that has none.
    function approvedUntil(address account) external view returns (uint64) {
        return _approvedUntil[account];
    }

    // ── changes by Governance: judged by the same function when proposed and when executed ─────────────────────────

    /// @notice The pending set as it would be with `account`. Reverts when that may not be.
    function pendingWith(address account, uint64 power) public view returns (uint256[] memory words) {
        if (account == address(0)) revert ZeroAccount();
        uint256[] memory before = _pending;
        (uint256 index, bool found) = _find(before, account);
        if (found) revert AlreadyMember(account);
        words = _inserted(before, index, _word(account, power));
        _requireSet(words);
    }

    /// @notice The pending set as it would be without `account`, which may also be merely approved.
    function pendingWithout(address account) public view returns (uint256[] memory words) {
        words = _pending;
        (uint256 index, bool found) = _find(words, account);
        if (!found) {
            if (_approvedUntil[account] == 0) revert NotAMember(account);
            return words;
        }
        words = _removed(words, index);
        if (words.length < _leastValidators) revert TooFewValidators(_leastValidators, words.length);
        _requireSet(words);
    }

    /// @notice The pending set as it would be with another power of `account`.
    function pendingWithPower(address account, uint64 power) public view returns (uint256[] memory words) {
        words = _pending;
        (uint256 index, bool found) = _find(words, account);
        if (!found) revert NotAMember(account);
        words[index] = _word(account, power);
        _requireSet(words);
    }

    /// @notice Lets `account` enter once it is ready. Repeated, it renews the approval and replaces the power.
    function approve(address account, uint64 power) external onlyGovernance {
        pendingWith(account, power);
        _forgivenThrough[account] = uint64(block.number);
        uint256[] memory words = _withoutLapsed(account);
        if (words.length == MAX_VALIDATORS) revert TooManyValidators(MAX_VALIDATORS);
        (uint256 index, ) = _find(words, account);
        _store(_approved, _inserted(words, index, _word(account, power)));
        uint64 until = uint64(block.timestamp + APPROVAL_LIFETIME);
        _approvedUntil[account] = until;
        emit ValidatorApproved(account, power, until);
    }

    /// @notice Takes `account` out at the end of the epoch, or withdraws its approval.
    function remove(address account) external onlyGovernance {
        _store(_pending, pendingWithout(account));
        _dropApproval(account);
        _unjail(account);
        emit ValidatorRemoved(account);
    }

    /// @notice Gives a member another power from the end of the epoch on.
    function setPower(address account, uint64 power) external onlyGovernance {
        _store(_pending, pendingWithPower(account, power));
        emit ValidatorPowerChanged(account, power);
    }

    // ── what anyone may bring ───────────────────────────────────────────────────────────────────────────────────

    /// @notice An approved validator enters at the end of this epoch.
    /// @param signature By its consensus key: `Ready(uint64 epoch)` of the current epoch, in the consensus domain.
    function ready(address account, bytes calldata signature) external {
        uint64 current = epoch();
        _requireSigner(account, keccak256(abi.encode(READY_TYPEHASH, current)), signature);
        uint64 until = _approvedUntil[account];
        if (until == 0) revert NotApproved(account);
        if (until < block.timestamp) revert ApprovalLapsed(account, until);
        uint256[] memory words = _approved;
        (uint256 index, ) = _find(words, account);
        uint64 power = uint64(words[index]);
        _store(_pending, pendingWith(account, power));
        _dropApproval(account);
        emit ValidatorReady(account, power, current);
    }

    /// @notice Two votes of one validator for one height, round and step that say different things.
    function reportDoubleVote(address account, SignedVote calldata a, SignedVote calldata b) external {
        if (a.height != b.height || a.round != b.round || a.step != b.step) revert NotComparable();
        if (a.valueId == b.valueId) revert SameMessage();
        _requireSigner(account, _voteHash(a), a.signature);
        _requireSigner(account, _voteHash(b), b.signature);
        _jail(account, a.height, a.round);
    }

    /// @notice Two proposals of one validator for one height and round that say different things.
    function reportDoubleProposal(address account, SignedProposal calldata a, SignedProposal calldata b) external {
        if (a.height != b.height || a.round != b.round) revert NotComparable();
        bytes32 first = _proposalHash(a);
        bytes32 second = _proposalHash(b);
        if (first == second) revert SameMessage();
        _requireSigner(account, first, a.signature);
        _requireSigner(account, second, b.signature);
        _jail(account, a.height, a.round);
    }

    // ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// @dev A pending member waits for the epoch's last block; a merely approved one is not let in.
    function _jail(address account, uint64 height, uint32 round) private {
        uint64 through = _forgivenThrough[account];
        if (height <= through) revert Forgiven(account, through);
        (, bool isPending) = _find(_pending, account);
        if (isPending) {
            uint256 entry = _word(account, 0);
            for (uint256 i = 0; i < _jailed.length; ++i) {
                if (_jailed[i] == entry) revert AlreadyJailed(account);
            }
            _jailed.push(entry);
        } else {
            if (_approvedUntil[account] == 0) revert NotAMember(account);
            _dropApproval(account);
        }
        emit DoubleSigningProven(account, height, round);
    }

    function _unjail(address account) private {
        uint256 entry = _word(account, 0);
        uint256 length = _jailed.length;
        for (uint256 i = 0; i < length; ++i) {
            if (_jailed[i] != entry) continue;
            for (uint256 j = i + 1; j < length; ++j) _jailed[j - 1] = _jailed[j];
            _jailed.pop();
            return;
        }
    }

    function _dropApproval(address account) private {
        uint256[] memory words = _approved;
        (uint256 index, bool found) = _find(words, account);
        if (!found) return;
        _store(_approved, _removed(words, index));
        delete _approvedUntil[account];
    }

    /// @dev The approvals that still hold, without that of `account`; what lapsed is forgotten for good.
    function _withoutLapsed(address account) private returns (uint256[] memory kept) {
        uint256[] memory words = _approved;
        uint256 count = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            address other = address(uint160(words[i] >> 96));
            if (other == account) continue;
            if (_approvedUntil[other] < block.timestamp) delete _approvedUntil[other];
            else words[count++] = words[i];
        }
        kept = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) kept[i] = words[i];
    }

    function _requireSet(uint256[] memory words) private pure {
        if (words.length == 0) revert TooFewValidators(1, 0);
        if (words.length > MAX_VALIDATORS) revert TooManyValidators(MAX_VALIDATORS);
        uint256 total = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            uint64 power = uint64(words[i]);
            if (power == 0) revert ZeroPower(address(uint160(words[i] >> 96)));
            total += power;
        }
        uint256 most = MAX_MEAN_POWER * words.length;
        if (total > most) revert TooMuchPower(most, total);
    }

    /// @dev OpenZeppelin's errors for a signature of another length, a high s or a bad v.
    function _requireSigner(address expected, bytes32 structHash, bytes calldata signature) private view {
        bytes32 salt = _genesisHash;
        if (salt == 0) revert NoGenesisHash();
        bytes32 separator = keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, salt));
        address found = ECDSA.recover(keccak256(abi.encodePacked(hex"1901", separator, structHash)), signature);
        if (found != expected) revert WrongSigner(expected, found);
    }

    function _voteHash(SignedVote calldata vote) private pure returns (bytes32) {
        if (vote.step != PREVOTE && vote.step != PRECOMMIT) revert UnknownStep(vote.step);
        bytes32 typeHash = vote.step == PREVOTE ? PREVOTE_TYPEHASH : PRECOMMIT_TYPEHASH;
        return keccak256(abi.encode(typeHash, vote.height, vote.round, vote.valueId));
    }

    function _proposalHash(SignedProposal calldata p) private pure returns (bytes32) {
        return keccak256(abi.encode(PROPOSAL_TYPEHASH, p.height, p.round, p.polRound, p.payloadHash, p.valueId));
    }

    function _word(address account, uint64 power) private pure returns (uint256) {
        return (uint256(uint160(account)) << 96) | power;
    }

    /// @dev Where `account` is, or where it would belong.
    function _find(uint256[] memory words, address account) private pure returns (uint256 index, bool found) {
        while (index < words.length && address(uint160(words[index] >> 96)) < account) ++index;
        found = index < words.length && address(uint160(words[index] >> 96)) == account;
    }

    function _inserted(
        uint256[] memory words,
        uint256 place,
        uint256 word
    ) private pure returns (uint256[] memory out) {
        out = new uint256[](words.length + 1);
        for (uint256 i = 0; i < place; ++i) out[i] = words[i];
        out[place] = word;
        for (uint256 i = place; i < words.length; ++i) out[i + 1] = words[i];
    }

    function _removed(uint256[] memory words, uint256 place) private pure returns (uint256[] memory out) {
        out = new uint256[](words.length - 1);
        for (uint256 i = 0; i < out.length; ++i) out[i] = words[i < place ? i : i + 1];
    }

    function _store(uint256[] storage list, uint256[] memory words) private {
        while (list.length > words.length) list.pop();
        for (uint256 i = 0; i < words.length; ++i) {
            if (i == list.length) list.push(words[i]);
            else if (list[i] != words[i]) list[i] = words[i];
        }
    }

    function _decode(uint256[] memory words) private pure returns (Validator[] memory validators) {
        validators = new Validator[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            validators[i] = Validator(address(uint160(words[i] >> 96)), uint64(words[i]));
        }
    }

    function _hash(uint256[] memory words) private pure returns (bytes32) {
        bytes memory packed = new bytes(words.length * 28);
        for (uint256 i = 0; i < words.length; ++i) {
            bytes28 entry = bytes28((bytes32(words[i] >> 96) << 96) | (bytes32(uint256(uint64(words[i]))) << 32));
            assembly ("memory-safe") {
                let place := add(add(packed, 32), mul(i, 28))
                // The last entry's word would run 4 bytes past the data: keep what is there.
                let kept := and(mload(place), 0xffffffff)
                mstore(place, or(entry, kept))
            }
        }
        return keccak256(packed);
    }
}
