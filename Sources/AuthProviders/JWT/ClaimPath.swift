/// Where the roles stand in a token: the name of a claim, or several with dots between them for objects in objects,
/// such as `realm_access.roles`. Immutable.
struct ClaimPath: Sendable {
    private let steps: [String]
    private let whole: String

    init(_ text: String) {
        self.whole = text
        self.steps = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    }

    /// The texts of a list, or the words of a text (as `scope` has them, RFC 8693 section 4.2). A claim that is missing
    /// or anything else names none: whoever has no role gets what is for everybody, and no more.
    func names(in claims: JSONValue) -> [String] {
        // The name of a claim may have dots of its own, as URLs have.
        var claim = claims[self.whole]
        if claim == nil {
            claim = claims
            for step in self.steps { claim = claim?[step] }
        }
        switch claim {
        case .array(let values): return values.compactMap(\.string)
        case .string(let text): return text.utf8.split(separator: UInt8(ascii: " ")).map { String(Substring($0)) }
        default: return []
        }
    }
}
