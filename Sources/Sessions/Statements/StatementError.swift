import PGWire

/// What a client is told when the gateway refuses a statement. In the words of PostgreSQL where it has some.
package enum StatementError {
    /// SQL-level prepared statements live in one server's session, which the client keeps only for a transaction.
    static let sqlPrepare = Self.error(
        .featureNotSupported,
        "PREPARE and EXECUTE as SQL statements are not supported in transaction and statement pooling mode",
        hint: "Use the driver's prepared statements (extended query protocol), or pool_mode = session."
    )

    static let switchedOff = Self.error(
        .featureNotSupported,
        "named prepared statements are switched off (prepared_statements = false)",
        hint: "Disable statement caching in the driver, or use pool_mode = session."
    )

    static let unicodeName = Self.error(
        .featureNotSupported,
        "DEALLOCATE of a U&\"...\" name is not supported in transaction and statement pooling mode"
    )

    static let reservedName = Self.error(
        .featureNotSupported,
        "DEALLOCATE of a name beginning with \"pggateway_\" is not supported in transaction and statement pooling mode",
        hint: "Close the statement by the extended query protocol."
    )

    static let memory = Self.error(
        .outOfMemory,
        "the gateway's memory for prepared statements is exhausted",
        hint: "See query_interner_max_size and SHOW INTERNER."
    )

    static let tooLong = Self.error(
        .programLimitExceeded,
        "a statement of more than \(FrontendScanner.parseLimit) bytes cannot be prepared"
    )

    /// In PostgreSQL's words, down to the routine: drivers know the error by that, and prepare the statement anew.
    static let changedResult: ServerMessageFields = {
        var error = Self.error(.featureNotSupported, "cached plan must not change result type")
        error.routine = "RevalidateCachedQuery"
        return error
    }()

    static let tooMany = Self.error(
        .programLimitExceeded,
        "a client may have at most \(StatementNames.countMax) prepared statements"
    )

    static let tooManyPortals = Self.error(
        .programLimitExceeded,
        "a transaction may have at most \(ClientStatements.portalsMax) portals for COPY, DEALLOCATE or DISCARD ALL"
    )

    /// - Parameter name: as the client wrote it, in whatever encoding.
    /// - Returns: the whole ErrorResponse.
    static func duplicate(_ name: [UInt8]) -> [UInt8] {
        self.naming(name, self.error(.duplicatePreparedStatement, "prepared statement \"\(Self.mark)\" already exists"))
    }


    static func encoded(_ error: ServerMessageFields) -> [UInt8] {
        var writer = MessageWriter()
        writer.errorResponse(error)
        return writer.bytes
    }

    /// A whole ErrorResponse that names a statement as servers know it, with the client's name in its place; nil when
    /// it does not.
    package static func renamed(_ message: [UInt8], from known: [UInt8], to name: [UInt8]) -> [UInt8]? {
        guard let start = self.firstIndex(of: known, in: message) else { return nil }
        var body = Array(message[MessageHeader.size..<start])
        body.append(contentsOf: name)
        body.append(contentsOf: message[(start + known.count)...])
        var writer = MessageWriter()
        writer.begin(message[0])
        writer.raw(body)
        writer.end()
        return writer.bytes
    }

    /// Not as the beginning of a longer number.
    private static func firstIndex(of known: [UInt8], in message: [UInt8]) -> Int? {
        var index = MessageHeader.size
        while index + known.count < message.count {
            let end = index + known.count
            if message[index..<end].elementsEqual(known), !(0x30...0x39).contains(message[end]) { return index }
            index += 1
        }
        return nil
    }

    private static let mark = "pggateway_0"

    private static func naming(_ name: [UInt8], _ error: ServerMessageFields) -> [UInt8] {
        let message = self.encoded(error)
        return self.renamed(message, from: Array(self.mark.utf8), to: name) ?? message
    }

    private static func error(_ state: SQLState, _ message: String, hint: String? = nil) -> ServerMessageFields {
        ServerMessageFields(severity: .error, sqlState: state, message: message, hint: hint)
    }
}
