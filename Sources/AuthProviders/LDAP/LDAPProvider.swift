import Sessions

/// hba method `ldap`: a directory checks the client's password, by a bind in the user's name.
///
/// Simple bind makes that name of the user's (`ldapprefix`, `ldapsuffix`); search+bind looks for the user's entry first
/// (`ldapbasedn`). libldap blocks, so it runs in a lane.
struct LDAPProvider: AuthProvider {
    static let hbaMethods = ["ldap"]
    /// In texts, and the kind of its lane.
    private static let library = "LDAP"

    private let plan: LDAPPlan
    private let services: AuthServices

    var lane: BlockingLane? { self.services.lanes.lane(of: Self.library) }
    var externalProof: ExternalProof? { .clearPassword }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        self.plan = try LDAPPlan(options)
        self.services = services
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        let password = try await ExternalPassword.request(attempt, service: Self.library, over: dialogue)
        let (plan, user) = (self.plan, attempt.user)
        let verdict = try await self.services.lanes.run(Self.library) {
            LDAPSession.verdict(on: user, password: password, plan: plan)
        }
        switch verdict {
        case .admitted: return ExternalPassword.identity(of: attempt, password: password, provider: "ldap")
        case .refused(let reason, let text):
            throw .refused(attempt, by: Self.library, reason: reason, log: "\(text) (\(plan.servers))")
        case .unavailable(let text): throw .unavailable(log: "LDAP: \(text) (\(plan.servers))")
        }
    }
}
