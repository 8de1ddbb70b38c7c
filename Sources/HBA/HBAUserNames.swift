/// Users by name, in the words of the user column, for settings outside of rules: `all`, `/expression`, or a name.
/// Roles (`+role`) are refused, for they would have to be asked of a server. A value.
package struct HBAUserNames: Sendable {
    private let words: [HBAUser]

    /// - Parameter words: empty is everybody.
    package init(_ words: [String]) throws(HBAUserNameError) {
        var parsed: [HBAUser] = []
        for word in words { parsed.append(try Self.parse(word)) }
        self.words = parsed
    }

    package func contain(_ user: String) -> Bool {
        self.words.isEmpty || self.words.contains { $0.admits(user) == true }
    }

    private static func parse(_ word: String) throws(HBAUserNameError) -> HBAUser {
        switch word.utf8.first {
        case nil: throw HBAUserNameError(word: word, reason: "a name is empty")
        case UInt8(ascii: "/"):
            guard word.utf8.count > 1 else { throw HBAUserNameError(word: word, reason: "the expression is empty") }
            do throws(RegexError) {
                // Not the first Character, which may have more in it: a combining mark.
                return .pattern(try HBARegex(String(word.unicodeScalars.dropFirst())))
            } catch {
                throw HBAUserNameError(word: word, reason: "invalid regular expression: \(error.reason)")
            }
        case UInt8(ascii: "+"):
            throw HBAUserNameError(word: word, reason: "roles of the server are not known here")
        default: return word.utf8.elementsEqual("all".utf8) ? .all : .name(word)
        }
    }
}

/// Why a word names no users.
package struct HBAUserNameError: Error, Sendable, CustomStringConvertible {
    package let word: String
    package let reason: String

    package var description: String { "`\(self.word)`: \(self.reason)" }
}
