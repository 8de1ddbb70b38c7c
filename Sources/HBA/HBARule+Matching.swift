import PGWire

/// The first thing about a question that a rule does not match, in the order PostgreSQL looks at them.
enum HBAMismatch: Sendable, Hashable {
    case transport
    case encryption
    case address
    case database
    case user
}

/// What a rule says to a question.
enum HBAMatch: Sendable {
    case matches
    case mismatch(HBAMismatch)
    /// Everything that is known matches; the rest depends on this fact.
    case needs(HBANeed)
    case unavailable(HBANeed, reason: String)
}

/// The columns of a rule that a question is compared with. Shared instead of copied: a copy of a rule counts the
/// references to all its words.
final class HBAMatcher: Sendable {
    let kind: HBAConnectionKind
    let databases: [HBADatabase]
    let users: [HBAUser]
    let address: HBAAddress?

    init(_ rule: HBARule) {
        self.kind = rule.kind
        self.databases = rule.databases
        self.users = rule.users
        self.address = rule.address
    }

    /// All names are compared byte for byte. A fact is asked for only when the columns that do not depend on it match.
    func match(_ question: HBAQuestion, _ facts: HBAFacts) -> HBAMatch {
        var open = HBACondition.yes
        switch question.origin {
        case .local:
            guard self.kind == .local else { return .mismatch(.transport) }
        case .tcp(let peer, let isTLS):
            guard self.kind != .local, let address = self.address else { return .mismatch(.transport) }
            guard self.kind.matches(isTLS: isTLS) else { return .mismatch(.encryption) }
            let condition = address.condition(peer, facts)
            if case .no = condition { return .mismatch(.address) }
            open = condition
        }
        let database = self.databaseCondition(question, facts)
        if case .no = database { return .mismatch(.database) }
        let user = self.userCondition(question, facts)
        if case .no = user { return .mismatch(.user) }
        switch open.and(database).and(user) {
        case .yes: return .matches
        // Each of the three has returned above.
        case .no: return .mismatch(.user)
        case .needs(let need): return .needs(need)
        case .unavailable(let need, let reason): return .unavailable(need, reason: reason)
        }
    }

    /// Words that need no fact are looked at before those that do.
    private func databaseCondition(_ question: HBAQuestion, _ facts: HBAFacts) -> HBACondition {
        var needsRoles = false
        for word in self.databases {
            if case .sameRole = word {
                needsRoles = true
            } else if word.matches(question) {
                return .yes
            }
        }
        guard needsRoles, !question.isReplication else { return .no }
        return .isMember(of: question.database, question.user, facts)
    }

    private func userCondition(_ question: HBAQuestion, _ facts: HBAFacts) -> HBACondition {
        var needsRoles = false
        for word in self.users {
            switch word {
            case .all: return .yes
            case .name(let name): if question.user.hasSameBytes(as: name) { return .yes }
            case .pattern(let regex): if regex.matches(question.user) { return .yes }
            case .role: needsRoles = true
            }
        }
        guard needsRoles else { return .no }
        var result = HBACondition.no
        for case .role(let role) in self.users {
            result = result.or(.isMember(of: role, question.user, facts))
            if case .yes = result { return .yes }
        }
        return result
    }
}

extension HBACondition {
    /// Both, of which neither is `no`.
    fileprivate func and(_ other: HBACondition) -> HBACondition {
        switch (self, other) {
        case (.yes, _), (.unavailable, .needs): other
        default: self
        }
    }
}

extension HBAConnectionKind {
    /// For TCP. The gateway answers GSSENCRequest with no, so no connection is GSSAPI-encrypted.
    func matches(isTLS: Bool) -> Bool {
        switch self {
        case .local, .hostgssenc: false
        case .host, .hostnogssenc: true
        case .hostssl: isTLS
        case .hostnossl: !isTLS
        }
    }
}

extension HBAAddress {
    fileprivate func condition(_ peer: IPAddress, _ facts: HBAFacts) -> HBACondition {
        switch self {
        case .all: .yes
        case .network(let network): network.contains(peer) ? .yes : .no
        case .sameHost: .interface(facts) { $0.address == peer }
        case .sameNet: .interface(facts) { $0.network.contains(peer) }
        case .hostName(let name): .hostName(facts) { HBAHostName.isSame($0, name) }
        case .hostNameSuffix(let suffix): .hostName(facts) { HBAHostName.hasSuffix($0, suffix) }
        }
    }
}

extension HBADatabase {
    /// Physical replication matches the keyword `replication` and nothing else; the keyword matches nothing else. Roles
    /// are looked at elsewhere.
    fileprivate func matches(_ question: HBAQuestion) -> Bool {
        switch self {
        case .replication: question.isReplication
        case .all: !question.isReplication
        case .sameUser: !question.isReplication && question.database.hasSameBytes(as: question.user)
        case .sameRole: false
        case .name(let name): !question.isReplication && question.database.hasSameBytes(as: name)
        case .pattern(let regex): !question.isReplication && regex.matches(question.database)
        }
    }
}
