/// Whose certificate a client has to show, to be the user that it says it is: `clientname=` and `map=` of an hba rule.
/// Immutable; one per rule.
struct CertificateOwner: Sendable {
    enum Name: Sendable {
        case commonName
        /// The whole subject.
        case distinguishedName
    }

    let name: Name
    /// Says which database users the owner of a certificate may be; without it, the user of the same name.
    let map: String?

    /// - Parameter option: the options of the rule by their names.
    init(_ option: (String) -> String?) {
        self.name = option("clientname") == "DN" ? .distinguishedName : .commonName
        self.map = option("map")
    }

    /// The name that counts.
    private func name(in certificate: ClientCertificate, _ attempt: LoginAttempt) throws(AuthFailure) -> String {
        switch self.name {
        case .distinguishedName where !certificate.subject.isEmpty: return certificate.subject
        case .commonName:
            if let name = certificate.commonName, !name.isEmpty { return name }
        case .distinguishedName: break
        }
        throw .certificateRefused(attempt, log: "the client's certificate contains no user name")
    }

    /// Checks the certificate as far as that is possible at once.
    ///
    /// - Returns: false when only a map can tell.
    func check(_ attempt: LoginAttempt) throws(AuthFailure) -> Bool {
        guard let certificate = attempt.certificate else { throw .certificateMissing() }
        let name = try self.name(in: certificate, attempt)
        guard self.map == nil else { return false }
        guard name.utf8.elementsEqual(attempt.user.utf8) else {
            throw .certificateRefused(attempt, log: "the certificate of \"\(name)\" is not that of \"\(attempt.user)\"")
        }
        return true
    }

    /// Checks the certificate, by the map if there is one.
    func check(_ attempt: LoginAttempt, by users: any LocalUsers) async throws(AuthFailure) {
        guard try !self.check(attempt), let map = self.map, let certificate = attempt.certificate else { return }
        let name = try self.name(in: certificate, attempt)
        switch await users.admits(name, as: attempt, map: map) {
        case .admitted: return
        case .refused:
            let log = "map \"\(map)\" does not let the owner of the certificate \"\(name)\" be \"\(attempt.user)\""
            throw .certificateRefused(attempt, log: log)
        case .unavailable(let text): throw .unavailable(log: text)
        }
    }
}

extension AuthFailure {
    /// PostgreSQL's text, 28000.
    static func certificateMissing() -> AuthFailure {
        AuthFailure(
            reason: .certificateMissing,
            logText: "the client has shown no certificate",
            clientText: "connection requires a valid client certificate",
            sqlStateText: "28000"
        )
    }

    /// PostgreSQL's text for method `cert`, 28000.
    static func certificateRefused(_ attempt: LoginAttempt, log: String) -> AuthFailure {
        AuthFailure(
            reason: .certificateMismatch,
            logText: log,
            clientText: "certificate authentication failed for user \"\(attempt.user)\"",
            sqlStateText: "28000"
        )
    }
}
