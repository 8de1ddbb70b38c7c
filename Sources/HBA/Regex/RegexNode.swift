/// The syntax tree of a regular expression.
indirect enum RegexNode: Sendable {
    case empty
    /// One character out of a set.
    case set(RegexSet)
    case assertion(RegexAssertion)
    /// Pieces one after the other.
    case concatenation([RegexNode])
    /// Branches, one of which matches; at least two.
    case alternation([RegexNode])
    /// Capturing parentheses; `isFirst` for the group that `\1` names.
    case group(RegexNode, isFirst: Bool)
    case repetition(RegexNode, RegexQuantifier)

    /// Whether the group that `\1` names is inside.
    var containsFirstGroup: Bool {
        switch self {
        case .empty, .set, .assertion: false
        case .group(let inner, let isFirst): isFirst || inner.containsFirstGroup
        case .repetition(let inner, _): inner.containsFirstGroup
        case .concatenation(let parts), .alternation(let parts): parts.contains { $0.containsFirstGroup }
        }
    }
}

/// What matches between two characters.
enum RegexAssertion: Sendable {
    case textStart
    case textEnd
    case wordStart
    case wordEnd
    case wordBoundary
    case notWordBoundary
}

/// `*`, `+`, `?` or bounds, with what they prefer.
struct RegexQuantifier: Sendable {
    enum Preference: Sendable {
        case longer
        case shorter
        /// `{m}`: what the repeated part prefers.
        case inherited
    }

    let minimum: Int
    /// `nil`: without end.
    let maximum: Int?
    let preference: Preference

    /// Bounds go to 255, as in PostgreSQL.
    static let largestBound = 255
}

/// Why a regular expression cannot be read.
struct RegexError: Error, Sendable {
    let reason: String
    /// Where it was noticed: a count of characters from the beginning of the expression.
    let offset: Int
}
