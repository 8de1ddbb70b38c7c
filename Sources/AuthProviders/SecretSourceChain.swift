public import Sessions

/// Several sources in order: the first that knows the user answers, and one that cannot answer ends the search, for a
/// later source must not overrule it. Immutable.
public struct SecretSourceChain: SecretSource {
    private let sources: [any SecretSource]

    /// The sources in the order in which they are asked.
    public init(_ sources: [any SecretSource]) {
        self.sources = sources
    }

    public var name: String {
        self.sources.map(\.name).joined(separator: ", ")
    }

    public func secret(user: String, database: String) async -> SecretLookup {
        for source in self.sources {
            let answer = await source.secret(user: user, database: database)
            if case .notFound = answer { continue }
            return answer
        }
        return .notFound
    }

    public func secretAtHand(user: String, database: String) -> SecretLookup? {
        for source in self.sources {
            let answer = source.secretAtHand(user: user, database: database)
            if case .notFound? = answer { continue }
            return answer
        }
        return .notFound
    }

    /// Asks no source behind one that knows the user by heart.
    public func secretAfresh(
        user: String,
        database: String,
        insteadOf secret: StoredSecret?
    ) async -> SecretLookup? {
        var answer: SecretLookup?
        for (index, source) in self.sources.enumerated() {
            switch await source.secretAfresh(user: user, database: database, insteadOf: secret) {
            case .found(let fresh, let origin)?: return .found(fresh, origin: origin)
            case .unavailable(let reason)?: return .unavailable(reason)
            case .notFound?: answer = .notFound
            case nil where index == self.sources.count - 1: break
            case nil:
                if case .found? = source.secretAtHand(user: user, database: database) { return nil }
            }
        }
        return answer
    }

    public func distrust(user: String, database: String) {
        for source in self.sources { source.distrust(user: user, database: database) }
    }
}
