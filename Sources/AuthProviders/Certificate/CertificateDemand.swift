/// What an hba rule asks of a client's certificate, whatever its method: `clientcert=`, and what method `cert` asks
/// before it begins. Immutable; one per rule.
///
/// Checked before the method, so that a stolen or foreign certificate learns nothing about passwords. (PostgreSQL looks
/// at the name behind the method, where only the right password leads.)
package struct CertificateDemand: Sendable {
    /// nil when any certificate will do, and for method `cert`, which checks the name itself.
    private let owner: CertificateOwner?
    private let users: any LocalUsers

    /// Options of rules that ask something of the connection, and that the method gets only if it is `cert`.
    package static let options: Set<String> = ["clientcert", "clientname"]
    /// The method that is a certificate.
    package static let method = CertificateProvider.method

    /// - Parameters:
    ///   - option: the options of the rule by their names, of which the hba parser has checked the words.
    ///   - users: knows the maps.
    /// - Returns: nil when the rule does not ask for a certificate.
    package init?(method: String, option: (String) -> String?, users: any LocalUsers) {
        let demanded = option("clientcert")
        guard demanded != nil || method == Self.method else { return nil }
        let isNameChecked = demanded == "verify-full" && method != Self.method
        self.owner = isNameChecked ? CertificateOwner(option) : nil
        self.users = users
    }

    /// Checks the certificate as far as that is possible at once.
    ///
    /// - Returns: false when `check(_:)` has to wait for a map.
    package func checkAtHand(_ attempt: LoginAttempt) throws(AuthFailure) -> Bool {
        guard attempt.certificate != nil else { throw .certificateMissing() }
        return try self.owner?.check(attempt) ?? true
    }

    /// Checks the certificate, by the rule's map if it has one. The answer comes in bounded time.
    package func check(_ attempt: LoginAttempt) async throws(AuthFailure) {
        guard attempt.certificate != nil else { throw .certificateMissing() }
        try await self.owner?.check(attempt, by: self.users)
    }
}
