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
    /// Every rule in order, and what it says to the question. Agrees with ``decide(_:)``: both ask the same matcher.
    package func explain(_ question: HBAQuestion) -> [RuleVerdict] {
        var isDecided = false
        return self.rules.map { rule in
            guard !isDecided else { return RuleVerdict(rule: rule, outcome: .notReached) }
            guard let mismatch = rule.mismatch(question) else {
                isDecided = true
                return RuleVerdict(rule: rule, outcome: .decides)
            }
            let explained = rule.explain(mismatch, question)
            return RuleVerdict(rule: rule, outcome: .mismatch(explained.field, reason: explained.reason))
        }
    }
}

extension HBARule {
    fileprivate func explain(
        _ mismatch: HBAMismatch,
        _ question: HBAQuestion
    ) -> (field: RuleVerdict.Field, reason: String) {
        switch mismatch {
        case .transport:
            let origin = question.origin == .local ? "a unix socket" : "TCP"
            return (.connectionType, "the client comes by \(origin), the rule is for \(self.kind.rawValue)")
        case .encryption:
            return (.connectionType, self.encryptionReason)
        case .address:
            return (.address, self.addressReason(question))
        case .database where question.isReplication:
            return (.database, "the client asks for replication, which only the keyword replication matches")
        case .database:
            return (.database, self.databaseReason(question))
        case .user:
            return (.user, "\(question.user.excerpt) is not among \(Self.list(self.users))")
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

    private func addressReason(_ question: HBAQuestion) -> String {
        guard case .tcp(let peer, _) = question.origin, case .network(let network) = self.address else {
            return "the client has no address"
        }
        guard peer.family == network.base.family else {
            return "\(peer) is \(Self.name(peer.family)), \(network) is \(Self.name(network.base.family))"
        }
        return "\(peer) is outside \(network)"
    }

    private func databaseReason(_ question: HBAQuestion) -> String {
        if self.databases == [.replication] {
            return "the rule is for replication, the client asks for database \(question.database.excerpt)"
        }
        if self.databases == [.sameUser] {
            return "\(question.database.excerpt) is not the name of the user \(question.user.excerpt)"
        }
        return "\(question.database.excerpt) is not among \(Self.list(self.databases))"
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
