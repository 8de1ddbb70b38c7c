import Sessions

/// Names shared by the password providers.
enum PasswordProviders {
    /// What identities say about their provider.
    static let name = "password"
}

/// Whose password is being checked: the attempt, and the secret that was found for it. A value of one login.
struct PasswordSubject: Sendable {
    let attempt: LoginAttempt
    /// Nil when no source knows the user.
    let secret: StoredSecret?
    let origin: SecretOrigin?

    init(_ found: FoundSecret?, attempt: LoginAttempt) {
        self.attempt = attempt
        self.secret = found?.secret
        self.origin = found?.origin
    }

    /// The same attempt with what its source says now; nil when that is no secret, or the same: checking that once more
    /// would take time which tells a known user from an unknown one.
    func renewed(_ answer: SecretLookup?) -> PasswordSubject? {
        guard case .found(let secret, let origin)? = answer, secret != self.secret else { return nil }
        return PasswordSubject(FoundSecret(secret: secret, origin: origin), attempt: self.attempt)
    }

    /// The refusal after an exchange whose proof did not fit; one text for the client, the true reason for the log.
    ///
    /// - Parameter isSecretUsable: the secret is of the kind the exchange checks.
    func refusal(isSecretUsable: Bool) -> AuthFailure {
        guard let secret = self.secret else {
            return .wrongPassword(of: self.attempt, reason: .userUnknown, log: "no secret source knows the user")
        }
        if case .empty = secret.kind {
            return .wrongPassword(of: self.attempt, reason: .secretEmpty, log: "the user's secret is empty")
        }
        guard isSecretUsable else {
            let log = "the user's secret is \(secret.kindName), which method \(self.attempt.rule.method) does not admit"
            return .wrongPassword(of: self.attempt, reason: .secretUnusable, log: log)
        }
        return .wrongPassword(of: self.attempt, reason: .passwordWrong, log: "wrong password")
    }

    func identity(_ credential: ServerCredential) -> AuthenticatedIdentity {
        AuthenticatedIdentity(
            user: self.attempt.user,
            credential: credential,
            provider: PasswordProviders.name,
            method: self.attempt.rule.method,
            secretOrigin: self.origin
        )
    }
}
