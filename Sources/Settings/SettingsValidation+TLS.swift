/// What keys about TLS ask of each other. Whether the files can be read and fit together shows when they are loaded.
extension SettingsValidation {
    static func checkClientTLS(_ values: SectionValues, _ diagnostics: inout Diagnostics) {
        let written = TLSKeys(prefix: "", values: values)
        written.check(&diagnostics)
        let settings = ClientTLSSettings(values)
        let name = settings.mode?.rawValue ?? ""
        if settings.isRequired, settings.certificate == nil, settings.privateKey == nil {
            written.report("tls_mode", "`\(name)` needs tls_certificate and tls_private_key", &diagnostics)
        }
        if settings.clientCertificates == .required, settings.caCert == nil {
            written.report("tls_mode", "`\(name)` needs tls_ca_cert", &diagnostics)
        }
        if settings.mode == .disable, settings.certificate != nil {
            diagnostics.warn(
                values.location(of: "tls_mode"), values.path(of: "tls_mode"),
                "is `disable`: clients get no TLS although tls_certificate is set"
            )
        } else if settings.certificate == nil, let idle = written.first(of: ["tls_ca_cert", "tls_mode"]) {
            guard !settings.isRequired, settings.mode != .disable else { return }
            diagnostics.warn(
                values.location(of: idle), values.path(of: idle),
                "has no effect without tls_certificate: clients get no TLS"
            )
        }
    }

    /// - Parameters:
    ///   - values: of a pool, with those of `general` where the pool has none.
    ///   - general: for the places of the latter.
    static func checkServerTLS(_ values: SectionValues, general: SectionValues, _ diagnostics: inout Diagnostics) {
        let keys = TLSKeys(prefix: "server_", values: values, general: general)
        keys.check(&diagnostics)
        let settings = ServerTLSSettings(values)
        let mode = settings.mode
        if mode >= .verifyCA, settings.caCert == nil {
            keys.report("server_tls_mode", "`\(mode.rawValue)` needs server_tls_ca_cert", &diagnostics)
        }
        if settings.negotiation == .direct, mode < .require {
            let reason = "`direct` needs server_tls_mode `require` or stronger, found `\(mode.rawValue)`"
            keys.report("server_tls_negotiation", reason, &diagnostics)
        }
        let isUnixSocket = values.text("server_host")?.hasPrefix("/") == true
        if settings.channelBinding == .require, mode < .prefer || isUnixSocket {
            let reason = isUnixSocket
                ? "`require` needs TLS, and server_host is a unix socket"
                : "`require` needs server_tls_mode `prefer` or stronger, found `\(mode.rawValue)`"
            keys.report("server_channel_binding", reason, &diagnostics)
        }
        if isUnixSocket, mode >= .require, values.isWritten("server_tls_mode") {
            diagnostics.warn(
                values.location(of: "server_tls_mode"), values.path(of: "server_tls_mode"),
                "has no effect: server_host is a unix socket, which never uses TLS"
            )
        }
    }

    /// Names are those of certificates: letters, digits, `-` and `_` between dots, `*` for the first label only.
    static func checkServerNames(_ values: SectionValues, isTLSOffered: Bool, _ diagnostics: inout Diagnostics) {
        let key = "tls_server_names"
        guard values.isWritten(key) else { return }
        for name in values.list(key) where TLSServerNames.pattern(name) == nil {
            diagnostics.report(
                values.location(of: key), values.path(of: key),
                "`\(name.prefix(60))` is not a host name", hint: "such as db.example.com or *.example.com"
            )
        }
        if !isTLSOffered, !values.list(key).isEmpty {
            diagnostics.warn(
                values.location(of: key), values.path(of: key), "has no effect: clients get no TLS")
        }
    }
}

/// The keys that both sides have alike, under their names there.
private struct TLSKeys {
    /// Before `tls_`: empty, or `server_`.
    let prefix: String
    let values: SectionValues
    var general: SectionValues?

    func check(_ diagnostics: inout Diagnostics) {
        let (certificate, key) = ("\(self.prefix)tls_certificate", "\(self.prefix)tls_private_key")
        for (name, other) in [(certificate, key), (key, certificate)]
        where self.values.text(name) != nil && self.values.text(other) == nil {
            self.report(name, "needs \(other)", &diagnostics)
        }
        let minimum = self.values.text("\(self.prefix)tls_min_version") ?? ""
        if let maximum = self.values.text("\(self.prefix)tls_max_version"), maximum < minimum {
            self.report(
                "\(self.prefix)tls_max_version", "`\(maximum)` is below \(self.prefix)tls_min_version `\(minimum)`",
                &diagnostics
            )
        }
        for name in ["tls_certificate", "tls_private_key", "tls_ca_cert", "tls_crl_file", "tls_ciphers"] {
            self.refuseEmpty("\(self.prefix)\(name)", &diagnostics)
        }
        guard self.prefix.isEmpty else { return }
        for name in ["tls_ciphersuites", "tls_curves"] { self.refuseEmpty(name, &diagnostics) }
    }

    private func refuseEmpty(_ name: String, _ diagnostics: inout Diagnostics) {
        guard self.values.text(name)?.isEmpty == true else { return }
        self.report(name, "is empty", &diagnostics)
    }

    func first(of names: [String]) -> String? { names.first(where: self.values.isWritten) }

    /// At the place where the key is written: in the pool, or in `general`, which is reported once for all pools.
    func report(_ name: String, _ reason: String, _ diagnostics: inout Diagnostics) {
        guard !self.values.isWritten(name), let general = self.general, general.isWritten(name) else {
            return diagnostics.report(self.values.location(of: name), self.values.path(of: name), reason)
        }
        let problem = SettingsProblem(at: general.location(of: name), keyPath: general.path(of: name), reason: reason)
        if !diagnostics.problems.contains(problem) { diagnostics.report(problem) }
    }
}
