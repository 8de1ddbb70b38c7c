package import AuthProviders
package import HBA

extension MethodOptions {
    /// What stands behind the method of a rule. What a rule asks of the connection whatever its method (`clientcert=`)
    /// is left out, but for the method that is a certificate.
    package init(_ rule: HBARule) throws(AuthConfigurationError) {
        let isOwn = rule.method == CertificateDemand.method
        try self.init(
            method: rule.method,
            entries: rule.options.filter { isOwn || !CertificateDemand.options.contains($0.name) }
                .map { (name: $0.name, value: $0.value) }
        )
    }
}
