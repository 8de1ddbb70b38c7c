/// hba method `reject`: nobody gets in.
struct RejectProvider: AuthProvider {
    static let hbaMethods = ["reject"]

    init(options: MethodOptions, services: AuthServices) throws(AuthConfigurationError) {
        try options.allowOnly()
    }

    func begin(_ attempt: LoginAttempt) throws(AuthFailure) -> LoginOpening? {
        throw Self.refusal(attempt)
    }

    func authenticate(
        _ attempt: LoginAttempt,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> AuthenticatedIdentity {
        throw Self.refusal(attempt)
    }

    private static func refusal(_ attempt: LoginAttempt) -> AuthFailure {
        .notPermitted(
            user: attempt.user,
            database: attempt.database,
            peerAddress: attempt.peerAddress,
            isTLS: attempt.isTLS,
            log: "rejected by the rule"
        )
    }
}
