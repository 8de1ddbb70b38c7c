import AuthProviders
import HBA

/// The names of the operating system, and the maps of pg_ident in force. Immutable; one per snapshot.
struct MappedUsers: LocalUsers {
    let maps: IdentMaps
    let lookups: PolicyLookups

    func name(ofUser user: UInt32) async -> SystemUserLookup { await self.lookups.systemUsers.name(of: user) }

    func admits(_ systemUser: String, as attempt: LoginAttempt, map: String) async -> UserMapAnswer {
        var facts = HBAFacts.none
        if case .needs = self.check(systemUser, attempt, map, facts) {
            // Maps ask for nothing but roles.
            facts.roles = await self.lookups.roles(of: attempt.user, database: attempt.database)
        }
        switch self.check(systemUser, attempt, map, facts) {
        case .admitted: return .admitted
        case .refused: return .refused
        case .needs: return .unavailable("map \"\(map)\" asks for more than roles")
        case .undecidable(let reason): return .unavailable("map \"\(map)\" cannot be decided: \(reason)")
        }
    }

    private func check(
        _ systemUser: String,
        _ attempt: LoginAttempt,
        _ map: String,
        _ facts: HBAFacts
    ) -> IdentFinding {
        self.maps.check(map: map, systemUser: systemUser, databaseUser: attempt.user, facts: facts)
    }
}
