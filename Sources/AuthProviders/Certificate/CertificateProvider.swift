/// hba method `cert`: the certificate of the TLS handshake says who the client is, and a map (`map=`) which database
/// users that is. Without a map, the common name (with `clientname=DN` the whole subject) is the user's.
///
/// Nothing is asked of the client. As with `trust`, a user whom no secret source knows is refused, and an md5 hash lets
/// the gateway log in at the server where a SCRAM verifier does not.
struct CertificateProvider: AuthProvider {
    static let method = "cert"
    static let hbaMethods = [Self.method]
    static let takesMap = true
    private let services: AuthServices
    private let owner: CertificateOwner

    var externalProof: ExternalProof? { .nameOfKnownUser }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("map", "clientname", "clientcert")
        self.services = services
        self.owner = CertificateOwner { options.value($0) }
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        guard try self.owner.check(attempt), let found = try self.services.lookUpAtHand(attempt) else { return nil }
        return .admitted(try self.identity(attempt, found))
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        try await self.owner.check(attempt, by: self.services.localUsers)
        return try self.identity(attempt, try await self.services.lookUp(attempt))
    }

    private func identity(_ attempt: LoginAttempt, _ found: FoundSecret?) throws(AuthFailure) -> AuthenticatedIdentity {
        try TrustedLogin.identity(of: attempt, found: found, provider: Self.name, services: self.services)
    }
}
