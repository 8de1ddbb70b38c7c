/// The first thing about a question that a rule does not match, in the order PostgreSQL looks at them.
enum HBAMismatch: Sendable, Hashable {
    case transport
    case encryption
    case address
    case database
    case user
}

extension HBARule {
    /// `nil` when the rule matches. All names are compared byte for byte.
    func mismatch(_ question: HBAQuestion) -> HBAMismatch? {
        switch question.origin {
        case .local:
            guard self.kind == .local else { return .transport }
        case .tcp(let peer, let isTLS):
            guard self.kind != .local else { return .transport }
            guard self.kind.matches(isTLS: isTLS) else { return .encryption }
            guard self.address?.matches(peer) == true else { return .address }
        }
        guard self.databases.contains(where: { $0.matches(question) }) else { return .database }
        guard self.users.contains(where: { $0.matches(question) }) else { return .user }
        return nil
    }
}

extension HBAConnectionKind {
    /// For TCP. The gateway answers GSSENCRequest with no, so no connection is GSSAPI-encrypted.
    fileprivate func matches(isTLS: Bool) -> Bool {
        switch self {
        case .local, .hostgssenc: false
        case .host, .hostnogssenc: true
        case .hostssl: isTLS
        case .hostnossl: !isTLS
        }
    }
}

extension HBAAddress {
    fileprivate func matches(_ peer: IPAddress) -> Bool {
        switch self {
        case .all: true
        case .network(let network): network.contains(peer)
        }
    }
}

extension HBADatabase {
    /// Physical replication matches the keyword `replication` and nothing else; the keyword matches nothing else.
    fileprivate func matches(_ question: HBAQuestion) -> Bool {
        switch self {
        case .replication: question.isReplication
        case .all: !question.isReplication
        case .sameUser: !question.isReplication && question.database.hasSameBytes(as: question.user)
        case .name(let name): !question.isReplication && question.database.hasSameBytes(as: name)
        }
    }
}

extension HBAUser {
    fileprivate func matches(_ question: HBAQuestion) -> Bool {
        switch self {
        case .all: true
        case .name(let name): question.user.hasSameBytes(as: name)
        }
    }
}
