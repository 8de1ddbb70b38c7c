import PGWire

/// What words of rules say about names alone, for checks when a policy is loaded.
extension HBAUser {
    /// nil when only a server knows (`+role`).
    package func admits(_ user: String) -> Bool? {
        switch self {
        case .all: true
        case .role: nil
        case .name(let name): user.hasSameBytes(as: name)
        case .pattern(let regex): regex.matches(user)
        }
    }
}

extension HBADatabase {
    /// nil when only a server knows (`samerole`). Physical replication is no database.
    package func admits(_ database: String, user: String) -> Bool? {
        switch self {
        case .all: true
        case .sameUser: database.hasSameBytes(as: user)
        case .sameRole: nil
        case .replication: false
        case .name(let name): database.hasSameBytes(as: name)
        case .pattern(let regex): regex.matches(database)
        }
    }
}

extension HBARule {
    /// Whether the database and user columns match; nil when only a server knows.
    package func admits(database: String, user: String) -> Bool? {
        let ofDatabase = Self.any(self.databases.map { $0.admits(database, user: user) })
        let ofUser = Self.any(self.users.map { $0.admits(user) })
        if ofDatabase == false || ofUser == false { return false }
        return ofDatabase == nil || ofUser == nil ? nil : true
    }

    /// Whether whoever comes by `other` comes by this rule as well, as far as their ways and addresses tell.
    package func coversOrigin(of other: HBARule) -> Bool {
        let isWider = self.kind == other.kind || (self.kind == .host && other.kind != .local)
        return isWider && (self.address == .all || self.address == other.address)
    }

    private static func any(_ answers: [Bool?]) -> Bool? {
        if answers.contains(true) { return true }
        return answers.contains(nil) ? nil : false
    }
}
