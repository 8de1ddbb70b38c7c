import Sessions
import Synchronization

/// Room for the texts of prepared statements.
extension Gateway {
    /// Not only what is lacking: with many small texts the next one would have to ask again.
    private static let shareFreed = 16

    /// Pools forget statements, retired ones first, of several the one whose texts are the longest in all, until
    /// another text of `size` bytes fits. A text that a client has prepared stays. False when there is not enough to
    /// forget.
    ///
    /// Any thread, without the lock of a pool.
    func makeRoomForText(of size: Int) -> Bool {
        while let lack = self.interner.lack(for: size) {
            if lack == 0 { return true }
            let pools = self.pools.withLeaving
            // Nobody begins a transaction there any more.
            let retired = pools.filter { $0.isRetired.load(ordering: .acquiring) }
            guard let largest = Self.largest(of: retired) ?? Self.largest(of: pools),
                largest.forget(bytes: max(lack, self.interner.byteLimit / Self.shareFreed))
            else { return false }
        }
        return false
    }

    /// Nil where none of them knows any text.
    private static func largest(of pools: [Pool]) -> SharedStatements? {
        let known = pools.map { (statements: $0.statements, bytes: $0.statements.knownBytes) }
        return known.filter { $0.bytes > 0 }.max { $0.bytes < $1.bytes }?.statements
    }
}
