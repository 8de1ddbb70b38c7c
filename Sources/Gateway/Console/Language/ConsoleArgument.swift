/// What stands behind the words of a command. Immutable.
package enum ConsoleArgument: String, Sendable {
    /// One name, which must be there.
    case user = "name"
    /// Nothing, a database, or a database and a user in it.
    case account = "[database[.user]]"

    /// Reads the rest of the statement. A word in lower case unless it is quoted, as in SQL; quote a name that holds a
    /// dot.
    func parse(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> [String] {
        switch self {
        case .user: return [try cursor.expectName()]
        case .account: return try Self.account(&cursor)
        }
    }

    private static func account(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> [String] {
        guard let first = cursor.upcoming else { return [] }
        guard first.kind == .word else {
            let database = try cursor.expectName()
            guard let dot = cursor.upcoming, dot.kind == .word, dot.text.utf8.first == UInt8(ascii: ".") else {
                return [database]
            }
            _ = cursor.next()
            let rest = String(dot.text.dropFirst())
            return [database, rest.isEmpty ? try cursor.expectName() : rest.foldedName]
        }
        _ = cursor.next()
        let parts = first.text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let database = parts.first, !database.isEmpty else { throw .syntax(at: first) }
        guard parts.count == 2, let user = parts.last else { return [database.foldedName] }
        return [database.foldedName, user.isEmpty ? try cursor.expectName() : user.foldedName]
    }
}
