/// The commands by which drivers clean a session up before another user of their pool gets it. Pure functions.
enum ConsoleCleanupGrammar {
    /// `verb` is the first word in upper case, which the cursor has passed.
    static func parse(_ verb: String, _ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        switch verb {
        case "DISCARD":
            return try self.discard(&cursor)
        case "DEALLOCATE":
            return try self.deallocate(&cursor)
        case "CLOSE":
            try cursor.expect("ALL")
            try cursor.expectEnd()
            return .accepted(tag: "CLOSE CURSOR ALL")
        default:
            guard cursor.take(sign: "*") else { throw .syntax(at: cursor.upcoming) }
            try cursor.expectEnd()
            return .accepted(tag: "UNLISTEN")
        }
    }

    private static func discard(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        let statement: ConsoleStatement
        if cursor.take("ALL") {
            statement = .forget(.everything, tag: "DISCARD ALL")
        } else if cursor.take("PLANS") {
            statement = .accepted(tag: "DISCARD PLANS")
        } else if cursor.take("SEQUENCES") {
            statement = .accepted(tag: "DISCARD SEQUENCES")
        } else if cursor.take("TEMP") || cursor.take("TEMPORARY") {
            statement = .accepted(tag: "DISCARD TEMP")
        } else {
            throw .syntax(at: cursor.upcoming)
        }
        try cursor.expectEnd()
        return statement
    }

    private static func deallocate(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> ConsoleStatement {
        _ = cursor.take("PREPARE")
        let statement: ConsoleStatement
        if cursor.take("ALL") {
            statement = .forget(.allStatements, tag: "DEALLOCATE ALL")
        } else {
            statement = .forget(.statement(try cursor.expectName()), tag: "DEALLOCATE")
        }
        try cursor.expectEnd()
        return statement
    }
}
