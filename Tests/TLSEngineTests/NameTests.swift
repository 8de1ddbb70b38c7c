import Testing

@testable import TLSEngine

/// Names within certificates of clients.
@Suite struct NameTests {
    private func outcome(of identity: CertificateWorkshop.Identity, _ authority: CertificateWorkshop.Identity) throws
        -> (Pair, Pair.Outcome)
    {
        let server = try Contexts.server {
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .required
        }
        let client = try Contexts.client {
            $0.certificateChain = identity.certificate
            $0.privateKey = identity.key
        }
        var pair = try Pair(server: server, client: client)
        let outcome = pair.handshake()
        return (pair, outcome)
    }

    /// A certificate in which `old` of the subject is replaced by as many other bytes, signed anew by itself.
    private func patched(_ subject: String, _ old: String, _ new: [UInt8]) throws -> (Pair, Pair.Outcome) {
        let workshop = try CertificateWorkshop()
        let identity = try workshop.leaf("client", subject: subject, issuer: nil)
        var der = try workshop.openssl(["x509", "-in", "client.crt", "-outform", "der"])
        for start in 0..<(der.count - new.count) where der[start...].starts(with: old.utf8) {
            der.replaceSubrange(start..<(start + new.count), with: new)
        }
        try workshop.write("patched.der", der)
        let signed = try workshop.openssl([
            "x509", "-in", "patched.der", "-inform", "der", "-signkey", "client.key", "-set_serial", "77",
        ])
        let patched = CertificateWorkshop.Identity(name: "client", certificate: signed, key: identity.key)
        return try self.outcome(of: patched, patched)
    }

    /// CVE-2009-4034: `app` for whoever stops reading at the NUL.
    @Test func nulWithinTheCommonName() throws {
        let (_, outcome) = try self.patched("/CN=appXevil", "appXevil", Array("app\0evil".utf8))
        #expect(outcome.serverFailure?.reason == .certificateInvalid)
        let text = "certificate verify failed: its common name has a NUL, is no UTF-8, or is too long"
        #expect(outcome.serverFailure?.text == text)
    }

    /// The way there is fine: the same with another letter is a name as any other.
    @Test func patchedNameWithoutHarm() throws {
        let (pair, outcome) = try self.patched("/CN=appXevil", "appXevil", Array("app-good".utf8))
        #expect(outcome.isDone)
        #expect(pair.server.peerCertificate?.commonName == "app-good")
        #expect(pair.server.peerCertificate?.serial == "77")
    }

    /// What it says could not be told from what somebody else's says once it is cut.
    @Test func subjectThatIsTooLong() throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("authority")
        let unit = String(repeating: "u", count: 64)
        for (count, isDone) in [(40, true), (80, false)] {
            let subject = "/CN=app" + (0..<count).map { _ in "/OU=\(unit)" }.joined()
            let (pair, outcome) = try self.outcome(
                of: try workshop.leaf("client", subject: subject, issuer: authority), authority)
            #expect(outcome.isDone == isDone)
            #expect((pair.server.peerCertificate?.subject.utf8.count ?? 0 > 64 * count) == isDone)
            guard !isDone else { continue }
            #expect(outcome.serverFailure?.text == "certificate verify failed: its subject is too long")
        }
    }

    /// Kinds of strings whose bytes are no UTF-8: T61 and BMP.
    @Test(arguments: [("MASK:0x0004", "/CN=Jürgen"), ("MASK:0x0800", "/CN=app")])
    func commonNameThatIsNoUTF8(strings: String, subject: String) throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("authority")
        let identity = try workshop.leaf("client", subject: subject, issuer: authority, strings: strings)
        #expect(try self.outcome(of: identity, authority).1.serverFailure?.reason == .certificateInvalid)
    }

    @Test(arguments: [
        ("/CN=app", "app", "CN=app"),
        ("/O=Example/OU=People/CN=Anna", "Anna", "CN=Anna,OU=People,O=Example"),
        ("/CN=Jürgen", "Jürgen", #"CN=J\C3\BCrgen"#),
        (#"/O=a\+b, c/CN=x;y"#, "x;y", #"CN=x\;y,O=a\+b\, c"#),
        ("/CN=first/CN=second", "first", "CN=second,CN=first"),
        ("/O=nobody", nil, "O=nobody"),
    ])
    func namesAsPostgreSQLComparesThem(subject: String, commonName: String?, name: String) throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("authority")
        let (pair, outcome) = try self.outcome(
            of: try workshop.leaf("client", subject: subject, issuer: authority), authority)
        #expect(outcome.isDone)
        #expect(pair.server.peerCertificate?.commonName == commonName)
        #expect(pair.server.peerCertificate?.subject == name)
    }

    @Test func contextsKnowTheirOwnCertificate() throws {
        let context = try Contexts.server()
        #expect(context.subject == "CN=server")
        let (start, end) = (try #require(context.notBefore), try #require(context.notAfter))
        #expect(end - start == 30 * 86400)
        #expect(start > 1_700_000_000)
        let client = try Contexts.client()
        #expect(client.subject == nil)
        #expect(client.notAfter == nil)
        #expect(client.endpointBinding == nil)
    }
}
