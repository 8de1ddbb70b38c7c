import Glibc
import Sessions

/// What providers share that let somebody else check a password sent in clear text. Nothing of it is kept here.
enum ExternalPassword {
    /// Asks for the password. Refuses an empty one, as PostgreSQL does: some libraries and directories take it for a
    /// login without a name.
    static func request(
        _ attempt: LoginAttempt,
        service: String,
        over dialogue: some ClientDialogue
    ) async throws(AuthFailure) -> SecretBytes {
        let password = try await dialogue.requestCleartextPassword()
        guard !password.isEmpty else {
            throw .refused(attempt, by: service, reason: .passwordWrong, log: "empty password")
        }
        return password
    }

    /// The proven user, with the password for a server that asks for the same.
    static func identity(
        of attempt: LoginAttempt,
        password: SecretBytes,
        provider: String
    ) -> AuthenticatedIdentity {
        AuthenticatedIdentity(
            user: attempt.user,
            credential: .cleartext(password),
            provider: provider,
            method: attempt.rule.method
        )
    }

    /// Unicode scalars of somebody else's text in the log: room for a sentence of a library or a directory with the
    /// names in it. Whoever it is that says more fills no log.
    private static let excerptMax = 300

    /// A text of somebody else's for the log: one line of bounded length.
    static func excerpt(_ text: String) -> String {
        let printable = text.unicodeScalars.prefix(Self.excerptMax).map { scalar in
            scalar.properties.generalCategory == .control ? " " : String(scalar)
        }
        return printable.joined()
    }
}

extension SecretBytes {
    /// Lends a copy to a library for the time of a call, and overwrites it with zeros.
    func lend<Result>(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Result) -> Result {
        var copy = self.exposed()
        return unsafe copy.withUnsafeMutableBufferPointer { bytes in
            let result = unsafe body(bytes)
            if let start = bytes.baseAddress { unsafe explicit_bzero(start, bytes.count) }
            return result
        }
    }
}

extension AuthFailure {
    /// PostgreSQL's text for its methods `pam` and `ldap`, 28P01; the text of a wrong password where the rule names
    /// another method, so that it looks like the other users of that rule.
    static func refused(_ attempt: LoginAttempt, by service: String, reason: Reason, log: String) -> AuthFailure {
        guard attempt.rule.method == service.lowercased() else {
            return .wrongPassword(of: attempt, reason: reason, log: "\(service): \(log)")
        }
        return AuthFailure(
            reason: reason,
            logText: "\(service): \(log)",
            clientText: "\(service) authentication failed for user \"\(attempt.user)\"",
            sqlStateText: "28P01"
        )
    }
}
