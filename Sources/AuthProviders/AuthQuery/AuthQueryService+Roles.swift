import Synchronization
public import PGWire

/// The roles of a user.
public enum RoleLookup: Sendable, Equatable {
    /// All roles that the user is a member of, directly or not, whatever INHERIT says; as in PostgreSQL it is a member
    /// of itself. Empty for a user that does not exist.
    case known(Set<ExactName>)
    /// Nobody can say now; the text is for the log.
    case unavailable(String)
}

/// Membership in roles, asked by the same executor as the secrets.
extension AuthQueryService {
    /// Names of roles of one user.
    static let rolesMax = 4096
    /// Names kept for all users together.
    static let roleNamesMax = 200_000

    /// Needs no privileges. Nothing of it depends on settings that a client or a schema could change.
    static let roleQuery = """
        WITH RECURSIVE member_of (oid) AS (
        SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1
        UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN member_of o
        ON m.member OPERATOR(pg_catalog.=) o.oid
        ) SELECT r.rolname FROM member_of o JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.oid
        """

    /// The roles as far as they are remembered; nil when they have to be asked for.
    package func rolesAtHand(of user: String) -> RoleLookup? {
        guard UserName.isPossible(user) else { return .known([]) }
        let now = self.surroundings.now()
        return self.roles.withLock { $0.recall(user, now: now) }.map { .known($0) }
    }

    package func roles(of user: String) async -> RoleLookup {
        guard UserName.isPossible(user) else { return .known([]) }
        let now = self.surroundings.now()
        return await withCheckedContinuation { waiter in
            switch self.roles.withLock({ $0.ask(user, now: now, waiter: waiter) }) {
            case .answered(let roles): waiter.resume(returning: .known(roles))
            case .waits: return
            case .begins(let flight):
                self.secrets.withLock { $0.count { $0.executorQueries += 1 } }
                self.executor.run(Self.roleQuery, parameter: user, rowsMax: Self.rolesMax + 1) { reply in
                    self.rolesArrived(flight, reply)
                }
            }
        }
    }

    private func rolesArrived(_ flight: FlightTable<RoleWaiter>.ID, _ reply: AuthQueryReply) {
        let lookup = Self.read(roles: reply)
        let now = self.surroundings.now()
        var roles: Set<ExactName>?
        if case .known(let names) = lookup { roles = names }
        if roles == nil { self.secrets.withLock { $0.count { $0.executorErrors += 1 } } }
        let waiters = self.roles.withLock { $0.land(flight, roles, now: now) }
        for waiter in waiters { waiter.resume(returning: lookup) }
    }

    private static func read(roles reply: AuthQueryReply) -> RoleLookup {
        switch reply {
        // That a user has no role is what a rule may let it in by: nothing but an answer says so.
        case .failed(let reason), .refused(let reason): return .unavailable(reason)
        case .rows(let answer):
            guard answer.rows.count <= Self.rolesMax else {
                return .unavailable("the user is a member of more than \(Self.rolesMax) roles")
            }
            let names = answer.rows.compactMap { row in
                row.first?.map { ExactName(String(decoding: $0, as: UTF8.self)) }
            }
            return .known(Set(names))
        }
    }
}
