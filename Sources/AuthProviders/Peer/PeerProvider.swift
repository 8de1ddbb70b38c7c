/// hba method `peer`, for unix sockets: the operating system says who the client is, and a map (`map=`) which database
/// users that is. Without a map both names have to be the same.
///
/// Nothing is asked of the client. As with `trust`, a user whom no secret source knows is refused, and an md5 hash lets
/// the gateway log in at the server where a SCRAM verifier does not.
struct PeerProvider: AuthProvider {
    static let hbaMethods = ["peer"]
    static let takesMap = true
    private let services: AuthServices
    private let map: String?

    var externalProof: ExternalProof? { .nameOfKnownUser }

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly("map")
        self.services = services
        self.map = options.value("map")
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        guard let user = attempt.peerUserID else {
            throw .peerRefused(attempt, reason: .peerUnknown, log: "the system does not say who the client is")
        }
        let name: String
        switch await self.services.localUsers.name(ofUser: user) {
        case .name(let known): name = known
        case .unknown:
            throw .peerRefused(attempt, reason: .peerUnknown, log: "system user \(user) has no name")
        case .unavailable(let text): throw .unavailable(log: text)
        }
        try await self.check(name, attempt)
        return try TrustedLogin.identity(
            of: attempt,
            found: try await self.services.lookUp(attempt),
            provider: "peer",
            services: self.services
        )
    }

    private func check(_ systemUser: String, _ attempt: LoginAttempt) async throws(AuthFailure) {
        guard let map = self.map else {
            guard systemUser.utf8.elementsEqual(attempt.user.utf8) else {
                let log = "system user \"\(systemUser)\" is not \"\(attempt.user)\""
                throw .peerRefused(attempt, reason: .peerMismatch, log: log)
            }
            return
        }
        let answer = await self.services.localUsers.admits(systemUser, as: attempt, map: map)
        switch answer {
        case .admitted: return
        case .refused:
            let log = "map \"\(map)\" does not let system user \"\(systemUser)\" be \"\(attempt.user)\""
            throw .peerRefused(attempt, reason: .peerMismatch, log: log)
        case .unavailable(let text): throw .unavailable(log: text)
        }
    }
}

extension AuthFailure {
    /// PostgreSQL's text for method `peer`, 28000.
    static func peerRefused(_ attempt: LoginAttempt, reason: Reason, log: String) -> AuthFailure {
        AuthFailure(
            reason: reason,
            logText: log,
            clientText: "Peer authentication failed for user \"\(attempt.user)\"",
            sqlStateText: "28000"
        )
    }
}
