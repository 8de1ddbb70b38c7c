/// What stands behind the words of a command. Immutable.
package enum ConsoleArgument: String, Sendable {
    /// One name, which must be there.
    case user = "name"
    /// Nothing, or a database.
    case database = "[database]"
    /// Nothing, a database, or a database and a user in it.
    case account = "[database[.user]]"

    /// Reads the rest of the statement. A word in lower case unless it is quoted, as in SQL; quote a name that holds a
    /// dot.
    func parse(_ cursor: inout ConsoleTokenCursor) throws(ConsoleError) -> [String] {
        switch self {
        case .user: return [try cursor.expectName()]
        case .database: return try cursor.upcoming == nil ? [] : [cursor.expectName()]
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
            return [database, try Self.user(dot.text.dropFirst(), of: dot, &cursor)]
        }
        _ = cursor.next()
        let parts = first.text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let database = parts.first, !database.isEmpty else { throw .syntax(at: first) }
        guard parts.count == 2, let user = parts.last else { return [database.foldedName] }
        return [database.foldedName, try Self.user(user, of: first, &cursor)]
    }

    /// What stands behind the dot: the rest of its word, or else the next name. Where there are more dots, which of
    /// them divides database and user is not guessed.
    private static func user(
        _ rest: Substring,
        of token: ConsoleToken,
        _ cursor: inout ConsoleTokenCursor
    ) throws(ConsoleError) -> String {
        guard !rest.contains(".") else { throw .tooManyDots(token) }
        if !rest.isEmpty { return rest.foldedName }
        if let next = cursor.upcoming, next.kind == .word, next.text.contains(".") { throw .tooManyDots(next) }
        return try cursor.expectName()
    }
}
