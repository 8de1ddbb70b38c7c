import Sessions

/// Room for the texts of prepared statements.
extension Gateway {
    /// Not only what is lacking: with many small texts the next one would have to ask again.
    private static let shareFreed = 16

    /// Pools forget statements, the one first whose texts are the longest in all, until another text of `size` bytes
    /// fits. A text that a client has prepared stays. False when there is not enough to forget.
    ///
    /// Any thread, without the lock of a pool.
    func makeRoomForText(of size: Int) -> Bool {
        while let lack = self.interner.lack(for: size) {
            if lack == 0 { return true }
            let statements = self.pools.all.map(\.statements)
            guard let largest = statements.max(by: { $0.knownBytes < $1.knownBytes }),
                largest.forget(bytes: max(lack, self.interner.byteLimit / Self.shareFreed))
            else { return false }
        }
        return false
    }
}
