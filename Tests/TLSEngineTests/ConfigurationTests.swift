import Testing

@testable import TLSEngine

/// Files and words that make no context.
@Suite struct ConfigurationTests {
    private func refusal(_ change: (inout TLSServerOptions) throws -> Void) throws -> TLSConfigurationError {
        let identity = try Certificates.server.get()
        var options = TLSServerOptions(certificateChain: identity.certificate, privateKey: identity.key)
        try change(&options)
        let made = options
        return try #require(throws: TLSConfigurationError.self) { try TLSContext(server: made) }
    }

    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    // MARK: Certificates and keys

    @Test(arguments: [
        ("", "holds no certificate in PEM"), ("hello\n", "holds no certificate in PEM"),
        ("\0\0\u{1}", "holds no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\n", "has a damaged block: bad end line"),
        ("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "has a damaged block: bad base64 decode"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "has a block that is no certificate: wrong tag"
        ),
        (
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
            "holds a block \"CERTIFICATE REQUEST\" where only certificates belong"
        ),
    ])
    func certificatesThatAreNone(text: String, reason: String) throws {
        let error = try self.refusal { $0.certificateChain = Self.text(text) }
        #expect(error == TLSConfigurationError(part: .certificate, reason: reason))
    }

    @Test func badBlockBehindAGoodOne() throws {
        let good = try Certificates.server.get().certificate
        let error = try self.refusal { $0.certificateChain = good + Self.text("-----BEGIN CERTIFICATE-----\nAA") }
        #expect(error.part == .certificate)
    }

    @Test func spacesBehindLines() throws {
        func spaced(_ pem: [UInt8]) -> [UInt8] {
            pem.flatMap { $0 == UInt8(ascii: "\n") ? Self.text(" \t\n") : [$0] }
        }
        let identity = try Certificates.server.get()
        var options = TLSServerOptions(
            certificateChain: spaced(identity.certificate), privateKey: spaced(identity.key))
        options.clientAuthorities = try spaced(Certificates.authority.get().certificate)
        options.clientCertificate = .required
        #expect(try TLSContext(server: options).subject != nil)
    }

    @Test func keyOfAnotherCertificate() throws {
        let other = try Certificates.client.get()
        let error = try self.refusal { $0.privateKey = other.key }
        #expect(error == .init(part: .privateKey, reason: "is not the key of the certificate"))
        let rsa = try CertificateWorkshop().leaf("rsa", issuer: nil, key: .rsa)
        #expect(try self.refusal { $0.privateKey = rsa.key } == error)
    }

    @Test(arguments: [["-topk8"], ["-topk8", "-v1", "PBE-SHA1-3DES"]]) func encryptedKeys(how: [String]) throws {
        let workshop = try CertificateWorkshop()
        _ = try workshop.leaf("own", issuer: nil)
        let encrypted = try workshop.openssl(["pkcs8", "-in", "own.key", "-passout", "pass:secret"] + how)
        let error = try self.refusal { $0.privateKey = encrypted }
        #expect(error == .init(part: .privateKey, reason: "is encrypted, and nobody is there to type a passphrase"))
    }

    @Test func encryptedKeysOfTheOldKind() throws {
        let workshop = try CertificateWorkshop()
        _ = try workshop.leaf("own", issuer: nil)
        let encrypted = try workshop.openssl(["ec", "-in", "own.key", "-aes128", "-passout", "pass:secret"])
        #expect(String(decoding: encrypted, as: UTF8.self).contains("Proc-Type: 4,ENCRYPTED"))
        #expect(try self.refusal { $0.privateKey = encrypted }.reason.hasPrefix("is encrypted"))
    }

    @Test(arguments: [
        ("", "holds no private key in PEM"), ("-----BEGIN PRIVATE KEY-----\n", "has a damaged block: bad end line"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "holds a block \"PUBLIC KEY\" where only private keys belong"
        ),
    ])
    func keysThatAreNone(text: String, reason: String) throws {
        let error = try self.refusal { $0.privateKey = Self.text(text) }
        #expect(error == TLSConfigurationError(part: .privateKey, reason: reason))
        let garbage = Self.text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        #expect(try self.refusal { $0.privateKey = garbage }.reason.hasPrefix("is no usable private key"))
    }

    @Test func twoKeys() throws {
        let key = try Certificates.server.get().key
        #expect(try self.refusal { $0.privateKey = key + key }.reason == "holds more than one private key")
    }

    @Test func everyFormOfAKey() throws {
        let workshop = try CertificateWorkshop()
        for key in [CertificateWorkshop.Key.p256, .rsa] {
            let own = try workshop.leaf("own", issuer: nil, key: key)
            let old = try workshop.openssl(
                [key == .rsa ? "rsa" : "ec", "-in", "own.key"] + (key == .rsa ? ["-traditional"] : []))
            #expect(
                String(decoding: old, as: UTF8.self).hasPrefix("-----BEGIN \(key == .rsa ? "RSA" : "EC") PRIVATE KEY"))
            var pair = try Pair(
                server: Contexts.server(.init(name: "own", certificate: own.certificate, key: old)),
                client: Contexts.client())
            #expect(pair.handshake().isDone)
        }
    }

    @Test func oneFileForBoth() throws {
        let own = try Certificates.server.get()
        let parameters = try CertificateWorkshop().openssl(["ecparam", "-name", "prime256v1"])
        let both = Self.text("# both\n") + parameters + own.key + own.certificate
        var pair = try Pair(
            server: Contexts.server(.init(name: "both", certificate: both, key: both)), client: Contexts.client())
        #expect(pair.handshake().isDone)
    }

    /// OpenSSL's security level of Debian asks for 112 bits.
    @Test func weakKeys() throws {
        let workshop = try CertificateWorkshop()
        try workshop.openssl([
            "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "weak.key", "-out", "weak.crt", "-subj",
            "/CN=w",
        ])
        let (certificate, key) = (try workshop.read("weak.crt"), try workshop.read("weak.key"))
        let error = try self.refusal {
            $0.certificateChain = certificate
            $0.privateKey = key
        }
        #expect(error == .init(part: .certificate, reason: "has a certificate that cannot be used: ee key too small"))
        _ = try Contexts.server(.init(name: "weak", certificate: certificate, key: key)) {
            $0.cipherList = "DEFAULT:@SECLEVEL=0"
        }
    }

    // MARK: Authorities and lists

    @Test func authoritiesThatAreNone() throws {
        let own = try Certificates.server.get()
        #expect(try self.refusal { $0.clientAuthorities = [] }.reason == "holds no certificate in PEM")
        let key = try self.refusal { $0.clientAuthorities = own.certificate + own.key }
        #expect(
            key
                == .init(
                    part: .authorities,
                    reason: "holds a block \"PRIVATE KEY\" where only certificates of authorities belong"))
        let missing = try self.refusal { $0.clientCertificate = .optional }
        #expect(missing == .init(part: .authorities, reason: "are missing: clients are asked for certificates"))
    }

    @Test func listsThatAreNone() throws {
        let own = try Certificates.server.get()
        let none = try self.refusal { $0.revocationLists = [] }
        #expect(none == .init(part: .revocationLists, reason: "holds no revocation list in PEM"))
        let other = try self.refusal { $0.revocationLists = own.certificate }
        #expect(other.reason == "holds a block \"CERTIFICATE\" where only revocation lists belong")
        let bad = Self.text("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
        #expect(
            try self.refusal { $0.revocationLists = bad }.reason.hasPrefix("has a block that is no revocation list"))
    }

    // MARK: Words

    @Test func versionsTheWrongWayRound() throws {
        let error = try self.refusal {
            $0.minimumVersion = .tls13
            $0.maximumVersion = .tls12
        }
        #expect(error.description == "TLS versions: end at TLSv1.2 before they begin at TLSv1.3")
    }

    @Test func wordsThatOpenSSLDoesNotKnow() throws {
        #expect(try self.refusal { $0.cipherList = "NONSENSE" }.part == .ciphers)
        #expect(try self.refusal { $0.cipherList = "" }.part == .ciphers)
        #expect(try self.refusal { $0.cipherList = "HIGH\0" } == .init(part: .ciphers, reason: "have a NUL within"))
        #expect(try self.refusal { $0.cipherSuites = "TLS_NONSENSE" }.part == .cipherSuites)
        #expect(try self.refusal { $0.curves = "P-256:nonsense" }.part == .curves)
    }

    // MARK: Clients

    @Test func clientsNeedWholePairs() throws {
        let own = try Certificates.client.get()
        #expect(throws: TLSConfigurationError(part: .privateKey, reason: "is missing: there is a certificate")) {
            try Contexts.client { $0.certificateChain = own.certificate }
        }
        #expect(throws: TLSConfigurationError(part: .certificate, reason: "is missing: there is a private key")) {
            try Contexts.client { $0.privateKey = own.key }
        }
        for verification in [TLSClientOptions.Verification.chain, .chainAndHost] {
            #expect(
                throws: TLSConfigurationError(part: .authorities, reason: "are missing: servers are to be verified")
            ) {
                try Contexts.client { $0.verification = verification }
            }
        }
    }

    @Test func reasonsAreWordsOnly() throws {
        let binary = Self.text(
            "-----BEGIN \u{1b}[31m\u{7f}ä PRIVATE KEX-----\nAAAA\n-----END \u{1b}[31m\u{7f}ä PRIVATE KEX-----\n")
        let error = try self.refusal { $0.privateKey = binary }
        #expect(error.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        #expect(error.reason.utf8.count < 200)
    }
}
