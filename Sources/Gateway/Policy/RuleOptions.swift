package import AuthProviders
package import HBA

extension MethodOptions {
    /// What stands behind the method of a rule. What a rule asks of the connection whatever its method (`clientcert=`)
    /// is left out, but for the method that is a certificate.
    ///
    /// - Parameter settingsFile: the main settings file, in which a rule stands that stands in no file of its own.
    package init(_ rule: HBARule, settingsFile: String = "") throws(AuthConfigurationError) {
        let isOwn = rule.method == CertificateDemand.method
        let file = rule.file.contains("/") ? rule.file : settingsFile
        try self.init(
            method: rule.method,
            entries: rule.options.filter { isOwn || !CertificateDemand.options.contains($0.name) }
                .map { (name: $0.name, value: $0.value) },
            folder: file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        )
    }
}
