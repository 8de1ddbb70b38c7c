import PGWire

extension ClientStatements {
    /// Parse and Sync for each statement that the client has, under its own names. The unnamed one comes last: every
    /// other request would take it away.
    ///
    /// - Parameter limit: bytes of all of them.
    /// - Returns: the messages, and how many answers there will be; nil when they are longer than that.
    package func replay(limit: Int) -> (bytes: [UInt8], count: Int)? {
        var writer = MessageWriter()
        var count = 0
        let unnamed = self.unnamed.map { [(name: [UInt8](), statement: $0)] } ?? []
        for (name, statement) in self.names.all + unnamed {
            let length = name.count + statement.text.count + statement.parameterTypes.count + Self.replayOverhead
            guard writer.bytes.count + length <= limit else { return nil }
            statement.appendParse(to: &writer, name: name)
            writer.sync()
            count += 1
        }
        return (writer.take(), count)
    }

    /// Header and zero bytes of the Parse, and the Sync.
    private static var replayOverhead: Int { 12 }
}
