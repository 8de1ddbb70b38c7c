import Testing

@testable import TLSEngine

/// What becomes of the other side's certificate.
@Suite struct CertificateTests {
    typealias Identity = CertificateWorkshop.Identity

    /// A server that trusts `authorities` and a client with `identity`.
    private func outcome(
        _ identity: Identity?, authorities: [UInt8]? = nil, lists: [UInt8]? = nil,
        demand: TLSServerOptions.ClientCertificate = .required, version: TLSVersion = .tls13
    ) throws -> (pair: Pair, outcome: Pair.Outcome) {
        let authority = try Certificates.authority.get()
        let server = try Contexts.server {
            $0.clientAuthorities = authorities ?? authority.certificate
            $0.revocationLists = lists
            $0.clientCertificate = demand
        }
        let client = try Contexts.client {
            $0.maximumVersion = version
            $0.certificateChain = identity?.certificate
            $0.privateKey = identity?.key
        }
        var pair = try Pair(server: server, client: client)
        let outcome = pair.handshake()
        return (pair, outcome)
    }

    // MARK: Clients

    @Test(arguments: TLSVersion.allCases, [TLSServerOptions.ClientCertificate.required, .optional])
    func clientOfTheAuthority(version: TLSVersion, demand: TLSServerOptions.ClientCertificate) throws {
        let client = try Certificates.client.get()
        let (pair, outcome) = try self.outcome(client, demand: demand, version: version)
        #expect(outcome.isDone)
        let workshop = try Certificates.workshop.get()
        let hex = try workshop.openssl(["x509", "-in", "client.crt", "-noout", "-serial"])
        let decimal = try workshop.openssl([
            "asn1parse", "-genstr",
            "INTEGER:0x" + String(decoding: hex, as: UTF8.self).dropFirst("serial=".count).dropLast(),
        ])
        let peer = try #require(pair.server.peerCertificate)
        #expect(peer.commonName == "app")
        #expect(peer.subject == "CN=app,O=Example")
        #expect(peer.issuer == "CN=authority,O=Example")
        #expect(try Self.hexadecimal(peer.serial) == Self.integer(decimal))
    }

    /// The number behind `INTEGER           :` of `asn1parse`.
    private static func integer(_ printed: [UInt8]) -> String {
        let text = String(decoding: printed, as: UTF8.self)
        return String(text.split(separator: ":").last?.filter { $0.isHexDigit } ?? "")
    }

    /// Long division by hand: serial numbers have up to 20 bytes.
    private static func hexadecimal(_ decimal: String) throws -> String {
        var digits = try decimal.map { try #require($0.wholeNumberValue) }
        var text = ""
        while !digits.isEmpty {
            var (rest, quotient): (Int, [Int]) = (0, [])
            for digit in digits {
                let value = rest * 10 + digit
                rest = value % 16
                if value / 16 > 0 || !quotient.isEmpty { quotient.append(value / 16) }
            }
            text = String(rest, radix: 16, uppercase: true) + text
            digits = quotient
        }
        return text.count.isMultiple(of: 2) ? text : "0" + text
    }

    @Test(arguments: TLSVersion.allCases) func missingClientCertificate(version: TLSVersion) throws {
        let (pair, outcome) = try self.outcome(nil, version: version)
        #expect(
            outcome.serverFailure
                == .init(reason: .certificateRequired, text: "peer did not return a certificate"))
        // In TLSv1.3 the client is done before the server has looked.
        if version == .tls13 {
            #expect(outcome.client == .done)
            #expect(pair.client.open(pair.toClient).state == .failed)
            #expect(
                pair.client.failure
                    == .init(reason: .peerAlert, text: "the peer sent an alert: tlsv13 alert certificate required"))
        } else {
            #expect(outcome.clientFailure?.reason == .peerAlert)
        }
        #expect(try self.outcome(nil, demand: .optional, version: version).outcome.isDone)
    }

    @Test(arguments: TLSVersion.allCases) func certificatesThatNobodyAskedForAreNone(version: TLSVersion) throws {
        let (pair, outcome) = try self.outcome(try Certificates.client.get(), demand: .ignored, version: version)
        #expect(outcome.isDone)
        #expect(pair.server.peerCertificate == nil)
    }

    @Test(arguments: [TLSServerOptions.ClientCertificate.required, .optional])
    func clientOfAnotherAuthority(demand: TLSServerOptions.ClientCertificate) throws {
        let workshop = try CertificateWorkshop()
        let stranger = try workshop.leaf("stranger", issuer: try workshop.authority("strange"))
        // OpenSSL shows its certificate even to a server that names other authorities.
        let outcome = try self.outcome(stranger, demand: demand).outcome
        #expect(outcome.serverFailure?.reason == .certificateUnknownAuthority)
    }

    @Test func authorityOfTheSameNameWithAnotherKey() throws {
        let workshop = try CertificateWorkshop()
        let impostor = try workshop.leaf("client", issuer: try workshop.authority("authority"))
        let failure = try self.outcome(impostor).outcome.serverFailure
        #expect([.certificateUnknownAuthority, .certificateInvalid].contains(failure?.reason))
    }

    @Test func selfSignedClient() throws {
        let own = try CertificateWorkshop().leaf("self", issuer: nil)
        #expect(try self.outcome(own).outcome.serverFailure?.reason == .certificateUnknownAuthority)
    }

    @Test func datesOfClients() throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("dates")
        let old = try workshop.leaf("old", issuer: authority, from: "20000101000000Z", until: "20010101000000Z")
        let young = try workshop.leaf("young", issuer: authority, from: "20900101000000Z", until: "20950101000000Z")
        let outcome = try self.outcome(old, authorities: authority.certificate).outcome
        #expect(
            outcome.serverFailure
                == .init(
                    reason: .certificateExpired, text: "certificate verify failed: certificate has expired"))
        let early = try self.outcome(young, authorities: authority.certificate).outcome
        #expect(
            early.serverFailure
                == .init(
                    reason: .certificateInvalid, text: "certificate verify failed: certificate is not yet valid"))
    }

    @Test func certificateForServersOnlyIsNoneOfAClient() throws {
        let identity = try Certificates.workshop.get().leaf(
            "wrong-usage", issuer: try Certificates.authority.get(), usage: "serverAuth")
        #expect(try self.outcome(identity).outcome.serverFailure?.reason == .certificateInvalid)
    }

    // MARK: Bundles and chains

    @Test func everyAuthorityOfABundleCounts() throws {
        let workshop = try CertificateWorkshop()
        let (one, two) = (try workshop.authority("one"), try workshop.authority("two"))
        let ours = try Certificates.authority.get()
        let text = Array("# words between the blocks\n".utf8)
        let bundle = ours.certificate + text + one.certificate + two.certificate + one.certificate
        for identity in [
            try Certificates.client.get(), try workshop.leaf("a", issuer: one), try workshop.leaf("b", issuer: two),
        ] {
            #expect(try self.outcome(identity, authorities: bundle).outcome.isDone)
        }
    }

    @Test func intermediatesComeFromEitherSide() throws {
        let workshop = try CertificateWorkshop()
        let root = try workshop.authority("root")
        let middle = try workshop.authority("middle", issuer: root)
        let leaf = try workshop.leaf("leaf", issuer: middle)
        let chained = Identity(name: leaf.name, certificate: leaf.certificate + middle.certificate, key: leaf.key)
        #expect(try self.outcome(chained, authorities: root.certificate).outcome.isDone)
        #expect(try self.outcome(leaf, authorities: root.certificate + middle.certificate).outcome.isDone)
        let missing = try self.outcome(leaf, authorities: root.certificate).outcome
        #expect(missing.serverFailure?.reason == .certificateUnknownAuthority)
        // An authority that is nobody's own needs its root, as in PostgreSQL.
        let rootless = try self.outcome(leaf, authorities: middle.certificate).outcome
        #expect(rootless.serverFailure?.reason == .certificateUnknownAuthority)
    }

    @Test func serversSendTheirChain() throws {
        let workshop = try CertificateWorkshop()
        let root = try workshop.authority("root")
        let middle = try workshop.authority("middle", issuer: root)
        let leaf = try workshop.leaf("leaf", names: "DNS:db.example.com", issuer: middle)
        let chained = Identity(name: leaf.name, certificate: leaf.certificate + middle.certificate, key: leaf.key)
        for (identity, isDone) in [(chained, true), (leaf, false)] {
            var pair = try Pair(
                server: Contexts.server(identity),
                client: Contexts.trustingClient { $0.authorities = root.certificate })
            let outcome = pair.handshake()
            #expect(outcome.isDone == isDone)
            #expect(outcome.clientFailure?.reason == (isDone ? nil : .certificateUnknownAuthority))
        }
    }

    /// More names of authorities than a CertificateRequest holds: none are told, and clients come all the same.
    @Test func hugeBundle() throws {
        let workshop = try CertificateWorkshop()
        var bundle = try Certificates.authority.get().certificate
        let name = String(repeating: "n", count: 60)
        let key = try workshop.authority("many")
        try workshop.write("many.pem", String(decoding: key.key, as: UTF8.self))
        for number in 0..<80 {
            let subject = "/CN=\(number)" + (0..<10).map { "/OU=\($0)\(name)" }.joined()
            bundle += try workshop.openssl([
                "req", "-x509", "-new", "-key", "many.pem", "-subj", subject, "-days", "9",
            ])
        }
        #expect(try self.outcome(try Certificates.client.get(), authorities: bundle).outcome.isDone)
    }

    // MARK: Revocation

    @Test func revokedClients() throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("crl")
        let (good, bad) = (
            try workshop.leaf("good", issuer: authority), try workshop.leaf("bad", issuer: authority)
        )
        let list = try workshop.revocationList(of: authority, revoking: [bad])
        #expect(try self.outcome(good, authorities: authority.certificate, lists: list).outcome.isDone)
        #expect(try self.outcome(bad, authorities: authority.certificate).outcome.isDone)
        let outcome = try self.outcome(bad, authorities: authority.certificate, lists: list).outcome
        #expect(
            outcome.serverFailure
                == .init(reason: .certificateRevoked, text: "certificate verify failed: certificate revoked"))
    }

    @Test func listsAreNeededOfEveryIssuer() throws {
        let workshop = try CertificateWorkshop()
        let root = try workshop.authority("root")
        let middle = try workshop.authority("middle", issuer: root)
        let leaf = try workshop.leaf("leaf", issuer: middle)
        let bundle = root.certificate + middle.certificate
        let (ofRoot, ofMiddle) = (
            try workshop.revocationList(of: root), try workshop.revocationList(of: middle)
        )
        #expect(try self.outcome(leaf, authorities: bundle, lists: ofRoot + ofMiddle).outcome.isDone)
        let failure = try self.outcome(leaf, authorities: bundle, lists: ofMiddle).outcome.serverFailure
        #expect(failure?.text == "certificate verify failed: unable to get certificate CRL")
        let revoked = try workshop.revocationList(of: root, revoking: [middle])
        #expect(
            try self.outcome(leaf, authorities: bundle, lists: revoked + ofMiddle).outcome.serverFailure?.reason
                == .certificateRevoked)
    }

    @Test func oldListsAreWorthNothing() throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("crl")
        let client = try workshop.leaf("client", issuer: authority)
        let list = try workshop.revocationList(
            of: authority, dates: ["-crl_lastupdate", "20000101000000Z", "-crl_nextupdate", "20010101000000Z"])
        let failure = try self.outcome(client, authorities: authority.certificate, lists: list).outcome.serverFailure
        #expect(failure == .init(reason: .certificateInvalid, text: "certificate verify failed: CRL has expired"))
    }

    @Test func revokedServers() throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("crl")
        let server = try workshop.leaf("server", names: "DNS:db.example.com", issuer: authority)
        let list = try workshop.revocationList(of: authority, revoking: [server])
        var pair = try Pair(
            server: Contexts.server(server),
            client: Contexts.trustingClient {
                $0.authorities = authority.certificate
                $0.revocationLists = list
            })
        let outcome = pair.handshake()
        #expect(outcome.clientFailure?.reason == .certificateRevoked)
        #expect(outcome.serverFailure?.reason == .peerAlert)
    }

    // MARK: Servers

    @Test(arguments: TLSVersion.allCases) func serversOfAnotherAuthority(version: TLSVersion) throws {
        let workshop = try CertificateWorkshop()
        let server = try workshop.leaf("server", names: "DNS:db.example.com", issuer: try workshop.authority("other"))
        var pair = try Pair(
            server: Contexts.server(server), client: Contexts.trustingClient { $0.maximumVersion = version })
        let outcome = pair.handshake()
        #expect(outcome.clientFailure?.reason == .certificateUnknownAuthority)
        #expect(outcome.serverFailure?.reason == .peerAlert)
        var careless = try Pair(server: Contexts.server(server), client: Contexts.client())
        #expect(careless.handshake().isDone)
        #expect(careless.client.peerCertificate == nil, "not verified")
    }

    @Test func serverThatSignedItself() throws {
        let own = try CertificateWorkshop().leaf("own", names: "DNS:db.example.com", issuer: nil)
        var trusted = try Pair(
            server: Contexts.server(own), client: Contexts.trustingClient { $0.authorities = own.certificate })
        #expect(trusted.handshake().isDone)
        var unknown = try Pair(server: Contexts.server(own), client: Contexts.trustingClient())
        #expect(unknown.handshake().clientFailure?.reason == .certificateUnknownAuthority)
    }
}
