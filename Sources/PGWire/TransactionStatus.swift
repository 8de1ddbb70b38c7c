/// The byte in ReadyForQuery: where the server stands with respect to transactions.
@usableFromInline
package enum TransactionStatus: UInt8, Sendable, Hashable {
    /// `I`
    case idle = 0x49
    /// `T`
    case inTransaction = 0x54
    /// `E`: only the end of the transaction is accepted.
    case failed = 0x45

    /// As `init(rawValue:)`, inlined into the relay; nil for a byte that no server sends.
    @inlinable
    package init?(byte: UInt8) {
        switch byte {
        case 0x49: self = .idle
        case 0x54: self = .inTransaction
        case 0x45: self = .failed
        default: return nil
        }
    }
}
