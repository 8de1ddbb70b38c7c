/// What one rule of a policy says to a question, in words.
package struct RuleVerdict: Sendable {
    /// The column that does not match.
    package enum Field: String, Sendable, Hashable {
        case connectionType = "connection type"
        case address
        case database
        case user
    }

    package enum Outcome: Sendable, Hashable {
        /// The first rule that matches.
        case decides
        /// The question is decided by an earlier rule.
        case notReached
        /// The first column that does not match, and why.
        case mismatch(Field, reason: String)
        /// Depends on a fact that is not known; with the reason when it cannot be had. Later rules are not reached.
        case undecided(HBANeed, reason: String?)
    }

    package let rule: HBARule
    package let outcome: Outcome

    /// One sentence.
    package var text: String {
        switch self.outcome {
        case .decides where self.rule.isReject: "matches and refuses"
        case .decides: "matches: method \(self.rule.method)"
        case .notReached: "not reached: an earlier rule decides"
        case .mismatch(let field, let reason): "\(field.rawValue) does not match: \(reason)"
        case .undecided(let need, nil): "depends on \(need)"
        case .undecided(let need, let reason?): "depends on \(need), which cannot be had: \(reason)"
        }
    }
}

extension RuleVerdict: CustomStringConvertible {
    /// `FILE:LINE: RULE: sentence`.
    package var description: String {
        "\(self.rule.file):\(self.rule.line): \(self.rule): \(self.text)"
    }
}

extension HBAPolicy {
    /// Every rule in order, and what it says to the question. Agrees with ``find(_:facts:)``: both ask the same
    /// matcher.
    package func explain(_ question: HBAQuestion, facts: HBAFacts = .none) -> [RuleVerdict] {
        var isDecided = false
        return self.rules.map { rule in
            guard !isDecided else { return RuleVerdict(rule: rule, outcome: .notReached) }
            let outcome: RuleVerdict.Outcome
            switch HBAMatcher(rule).match(question, facts) {
            case .mismatch(let mismatch):
                let explained = rule.explain(mismatch, question, facts)
                return RuleVerdict(rule: rule, outcome: .mismatch(explained.field, reason: explained.reason))
            case .matches: outcome = .decides
            case .needs(let need): outcome = .undecided(need, reason: nil)
            case .unavailable(let need, let reason): outcome = .undecided(need, reason: reason)
            }
            isDecided = true
            return RuleVerdict(rule: rule, outcome: outcome)
        }
    }
}

extension HBARule {
    fileprivate func explain(
        _ mismatch: HBAMismatch,
        _ question: HBAQuestion,
        _ facts: HBAFacts
    ) -> (field: RuleVerdict.Field, reason: String) {
        switch mismatch {
        case .transport:
            let origin = question.origin == .local ? "a unix socket" : "TCP"
            return (.connectionType, "the client comes by \(origin), the rule is for \(self.kind.rawValue)")
        case .encryption:
            return (.connectionType, self.encryptionReason)
        case .address:
            return (.address, self.addressReason(question, facts))
        case .database where question.isReplication:
            return (.database, "the client asks for replication, which only the keyword replication matches")
        case .database:
            return (.database, self.databaseReason(question))
        case .user:
            return (.user, self.userReason(question))
        }
    }

    private var encryptionReason: String {
        switch self.kind {
        case .hostssl: "the connection has no TLS"
        case .hostnossl: "the connection has TLS"
        case .hostgssenc: "the gateway has no GSSAPI encryption"
        case .local, .host, .hostnogssenc: "the rule is for another encryption"
        }
    }

    private func addressReason(_ question: HBAQuestion, _ facts: HBAFacts) -> String {
        guard case .tcp(let peer, _) = question.origin, let address = self.address else {
            return "the client has no address"
        }
        switch address {
        case .all: return "the client has no address"
        case .sameHost: return "\(peer) is not an address of the gateway"
        case .sameNet: return "\(peer) is in no network of the gateway"
        case .network(let network): return Self.networkReason(peer, network)
        case .hostName(let name), .hostNameSuffix(let name):
            guard case .known(let known?) = facts.hostName else { return "\(peer) has no host name" }
            return "\(peer) is \(known.excerpt), not \(name)"
        }
    }

    private static func networkReason(_ peer: IPAddress, _ network: IPNetwork) -> String {
        guard peer.family == network.base.family else {
            return "\(peer) is \(Self.name(peer.family)), \(network) is \(Self.name(network.base.family))"
        }
        return "\(peer) is outside \(network)"
    }

    private func databaseReason(_ question: HBAQuestion) -> String {
        if self.databases == [.replication] {
            return "the rule is for replication, the client asks for database \(question.database.excerpt)"
        }
        if self.databases == [.sameRole] {
            return "\(question.user.excerpt) is not a member of \(question.database.excerpt)"
        }
        if self.databases == [.sameUser] {
            return "\(question.database.excerpt) is not the name of the user \(question.user.excerpt)"
        }
        return "\(question.database.excerpt) is not among \(Self.list(self.databases))"
    }

    private func userReason(_ question: HBAQuestion) -> String {
        guard self.users.count == 1, let word = self.users.first else {
            return "\(question.user.excerpt) is not among \(Self.list(self.users))"
        }
        switch word {
        case .role(let role): return "\(question.user.excerpt) is not a member of \(role.excerpt)"
        case .pattern(let regex):
            return "\(question.user.excerpt) does not match the expression \(regex.pattern.excerpt)"
        case .all, .name: return "\(question.user.excerpt) is not among \(Self.list(self.users))"
        }
    }

    private static func name(_ family: IPAddress.Family) -> String {
        family == .v4 ? "IPv4" : "IPv6"
    }

    /// The first words of a column; long lists are cut.
    private static func list(_ words: [some CustomStringConvertible]) -> String {
        let limit = 8
        let shown = words.prefix(limit).map(\.description).joined(separator: ", ")
        return words.count > limit ? "\(shown) and \(words.count - limit) more" : shown
    }
}
