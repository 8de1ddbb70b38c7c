import AuthProviders
import HBA
import Reactor
import PGWire

/// What rules have to know about a client beyond its question: its host name, the roles of its user, the gateway's own
/// addresses. Remembered and looked up in bounded time, off the workers. Any thread.
final class PolicyLookups: Sendable {
    /// Whom a rule asks about.
    struct Subject: Sendable {
        let question: HBAQuestion
        let address: SocketAddress
    }

    let authQueries: AuthQueryRegistry
    let hostNames = HostNames()
    let systemUsers = SystemUsers()
    /// Not for policy but for the providers that rules name; here because they outlive every snapshot.
    let authLanes = AuthLanes()
    private let ownAddresses = OwnAddresses(asking: PolicyFiles.interfaces)

    init(authQueries: AuthQueryRegistry) { self.authQueries = authQueries }

    /// What every question is asked with.
    func facts(for snapshot: Snapshot) -> HBAFacts {
        // Newer settings may need them before the login is decided: that nobody has asked is not that there are none.
        guard snapshot.needsInterfaces else { return HBAFacts(interfaces: .notAsked) }
        return HBAFacts(interfaces: self.ownAddresses.answer(now: MonotonicClock.now()))
    }

    /// Adds what is at hand. False when it has to be waited for.
    func complete(_ facts: inout HBAFacts, with need: HBANeed, about subject: Subject) -> Bool {
        switch need {
        case .hostName:
            guard let answer = self.hostNames.nameAtHand(of: subject.address) else { return false }
            facts.hostName = HBAFacts.Answer(answer)
        case .roles:
            let question = subject.question
            guard let answer = self.rolesAtHand(of: question.user, database: question.database) else { return false }
            facts.roles = answer
        case .interfaces: facts.interfaces = self.ownAddresses.answer(now: MonotonicClock.now())
        }
        return true
    }

    /// The facts with one more.
    func completed(
        _ facts: HBAFacts,
        with need: HBANeed,
        about subject: Subject,
        on worker: Worker
    ) async -> HBAFacts {
        var facts = facts
        switch need {
        case .hostName: facts.hostName = HBAFacts.Answer(await self.hostNames.name(of: subject.address, on: worker))
        case .roles: facts.roles = await self.roles(of: subject.question.user, database: subject.question.database)
        case .interfaces: facts.interfaces = self.ownAddresses.answer(now: MonotonicClock.now())
        }
        return facts
    }

    // MARK: Roles

    private func rolesAtHand(of user: String, database: String) -> HBAFacts.Answer<Set<ExactName>>? {
        // The console's administrator is no role of any server.
        if ConsoleReference.databases.contains(database) { return .known([]) }
        guard let service = self.authQueries.service(for: database) else {
            return .unavailable("database \"\(database)\" has no auth_query to ask for roles")
        }
        return service.rolesAtHand(of: user).map { HBAFacts.Answer($0) }
    }

    func roles(of user: String, database: String) async -> HBAFacts.Answer<Set<ExactName>> {
        if let known = self.rolesAtHand(of: user, database: database) { return known }
        guard let service = self.authQueries.service(for: database) else { return .unavailable("no auth_query") }
        return HBAFacts.Answer(await service.roles(of: user))
    }
}

extension HBAFacts.Answer where Value == Set<ExactName> {
    fileprivate init(_ answer: RoleLookup) {
        switch answer {
        case .known(let roles): self = .known(roles)
        case .unavailable(let reason): self = .unavailable(reason)
        }
    }
}

extension HBAFacts.Answer where Value == String? {
    fileprivate init(_ answer: HostNameAnswer) {
        switch answer {
        case .known(let name): self = .known(name)
        case .unavailable(let reason): self = .unavailable(reason)
        }
    }
}
