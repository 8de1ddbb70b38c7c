import Testing

@testable import TLSEngine

/// Which names a server's certificate is for: the rules of libpq.
@Suite struct HostTests {
    struct Case: Sendable {
        let subject: String
        let names: String?
        let good: [String]
        let bad: [String]
    }

    static let cases: [Case] = [
        Case(
            subject: "/CN=ignored.example.com", names: "DNS:db.example.com,DNS:other.example.com",
            good: ["db.example.com", "DB.Example.COM", "other.example.com"],
            bad: ["example.com", "x.db.example.com", "ignored.example.com", "db.example.co", "127.0.0.1"]),
        Case(
            subject: "/CN=x", names: "DNS:*.example.com", good: ["db.example.com", "OTHER.EXAMPLE.COM"],
            bad: ["example.com", "a.b.example.com", ".example.com", "dbexample.com", "x"]),
        Case(subject: "/CN=x", names: "DNS:d*.example.com,DNS:*,DNS:*.", good: [], bad: ["db.example.com", "db", "x"]),
        Case(
            subject: "/CN=x", names: "IP:127.0.0.1,IP:2001:db8::1",
            good: ["127.0.0.1", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", "x"], bad: ["127.0.0.2", "2001:db8::2", "::1"]),
        Case(
            subject: "/CN=127.0.0.1", names: "DNS:db.example.com", good: ["127.0.0.1", "db.example.com"], bad: ["::1"]),
        Case(subject: "/CN=127.0.0.1", names: "IP:127.0.0.2", good: ["127.0.0.2"], bad: ["127.0.0.1"]),
        Case(subject: "/CN=x", names: "DNS:127.0.0.1", good: ["127.0.0.1"], bad: ["127.0.0.2"]),
        Case(subject: "/CN=*.0.0.1", names: nil, good: [], bad: ["127.0.0.1"]),
        Case(
            subject: "/O=Example/CN=*.example.com", names: nil, good: ["db.example.com"],
            bad: ["example.com", "Example"]),
        Case(subject: "/O=db.example.com", names: nil, good: [], bad: ["db.example.com"]),
        Case(
            subject: "/CN=db.example.com", names: "email:me@example.com,URI:https://example.com",
            good: ["db.example.com"], bad: ["example.com", "me@example.com"]),
    ]

    @Test(arguments: cases.indices) func hosts(index: Int) throws {
        let one = Self.cases[index]
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("authority")
        let server = try Contexts.server(
            try workshop.leaf("server", subject: one.subject, names: one.names, issuer: authority))
        let client = try Contexts.trustingClient { $0.authorities = authority.certificate }
        for host in one.good {
            var pair = try Pair(server: server, client: client, host: host)
            #expect(pair.handshake().isDone, "\(host)")
        }
        for host in one.bad {
            var pair = try Pair(server: server, client: client, host: host)
            let outcome = pair.handshake()
            #expect(outcome.clientFailure?.reason == .hostMismatch, "\(host)")
            #expect(outcome.serverFailure?.reason == .peerAlert, "\(host)")
            #expect(outcome.clientFailure?.text.hasPrefix("certificate verify failed: ") == true)
        }
        let chainOnly = try Contexts.trustingClient {
            $0.authorities = authority.certificate
            $0.verification = .chain
        }
        var pair = try Pair(server: server, client: chainOnly, host: "anything.example.net")
        #expect(pair.handshake().isDone)
    }
}
