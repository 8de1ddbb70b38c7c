import Foundation
import Testing

@testable import TLSEngine

@Suite struct ResumptionTests {
    /// One connection after another, the second with the ticket of the first.
    private func second(tickets: Bool, version: TLSVersion, _ change: (inout TLSServerOptions) -> Void = { _ in })
        throws -> Pair
    {
        let server = try Contexts.server {
            $0.sessionTickets = tickets
            change(&$0)
        }
        let identity = try Certificates.client.get()
        let client = try Contexts.client {
            $0.maximumVersion = version
            $0.certificateChain = identity.certificate
            $0.privateKey = identity.key
        }
        var first = try Pair(server: server, client: client)
        #expect(first.handshake().isDone)
        #expect(first.client.open(first.toClient + first.server.seal([1]).bytes).plain == [1])
        #expect(!first.client.close().isEmpty)
        var second = try Pair(server: server, client: client, resuming: first.client)
        #expect(second.handshake().isDone)
        return second
    }

    @Test(arguments: TLSVersion.allCases) func ticketsResume(version: TLSVersion) throws {
        let pair = try self.second(tickets: true, version: version)
        #expect(pair.server.isResumed)
        #expect(pair.client.isResumed)
        #expect(pair.server.serverName == "db.example.com")
        #expect(pair.server.alpn == "postgresql")
    }

    /// OpenSSL itself tells the name of the first handshake (TLSv1.2), which would lead to another pool.
    @Test(arguments: TLSVersion.allCases) func theServerNameIsThatOfThePresentHandshake(version: TLSVersion) throws {
        let server = try Contexts.server { $0.sessionTickets = true }
        let client = try Contexts.client { $0.maximumVersion = version }
        let names: [(first: String?, second: String?)] = [
            ("one.example.com", "two.example.com"), ("one.example.com", nil), (nil, "two.example.com"),
        ]
        for (name, otherName) in names {
            var first = try Pair(server: server, client: client, host: name)
            #expect(first.handshake().isDone)
            #expect(first.server.serverName == name)
            #expect(first.client.open(first.toClient + first.server.seal([1]).bytes).plain == [1])
            #expect(!first.client.close().isEmpty)
            var second = try Pair(server: server, client: client, host: otherName, resuming: first.client)
            #expect(second.handshake().isDone)
            #expect(second.server.isResumed)
            #expect(second.server.serverName == otherName)
        }
    }

    @Test(arguments: TLSVersion.allCases) func nothingResumesWithoutTickets(version: TLSVersion) throws {
        let pair = try self.second(tickets: false, version: version)
        #expect(!pair.server.isResumed)
        #expect(!pair.client.isResumed)
    }

    @Test(arguments: TLSVersion.allCases) func resumedClientsKeepTheirCertificate(version: TLSVersion) throws {
        let authority = try Certificates.authority.get()
        let pair = try self.second(tickets: true, version: version) {
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .required
        }
        #expect(pair.server.isResumed)
        #expect(pair.server.peerCertificate?.commonName == "app")
    }

    /// A ticket carries the client's certificate, and is renewed whenever it is used.
    @Test(arguments: TLSVersion.allCases) func endedCertificatesDoNotResume(version: TLSVersion) async throws {
        let workshop = try CertificateWorkshop()
        let authority = try workshop.authority("short")
        let server = try Contexts.server {
            $0.sessionTickets = true
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .required
        }
        // A slow machine takes longer until it shows the certificate.
        for seconds in [2.0, 8, 32] {
            let end = Date(timeIntervalSinceNow: seconds)
            let identity = try workshop.leaf(
                "lasts\(Int(seconds))", issuer: authority, from: "20200101000000Z", until: Self.text(of: end))
            let client = try Contexts.client {
                $0.maximumVersion = version
                $0.certificateChain = identity.certificate
                $0.privateKey = identity.key
            }
            var first = try Pair(server: server, client: client)
            guard first.handshake().isDone else { continue }
            #expect(first.client.open(first.toClient + first.server.seal([1]).bytes).plain == [1])
            #expect(!first.client.close().isEmpty)
            while Date() < end.addingTimeInterval(0.1) { try await Task.sleep(for: .milliseconds(20)) }
            var second = try Pair(server: server, client: client, resuming: first.client)
            #expect(second.handshake().serverFailure?.reason == .certificateExpired)
            return
        }
        Issue.record("no certificate was shown in time")
    }

    /// As `openssl ca` has dates.
    private static func text(of date: Date) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "yyyyMMddHHmmss'Z'"
        return format.string(from: date)
    }

    /// A ticket of a context that asked for no certificates is none for one that demands them: reload counts.
    @Test(arguments: TLSVersion.allCases) func ticketsOfAnotherContextAreWorthNothing(version: TLSVersion) throws {
        let client = try Contexts.client { $0.maximumVersion = version }
        var first = try Pair(server: Contexts.server { $0.sessionTickets = true }, client: client)
        #expect(first.handshake().isDone)
        _ = first.client.open(first.toClient + first.server.seal([1]).bytes)
        let authority = try Certificates.authority.get()
        let strict = try Contexts.server {
            $0.sessionTickets = true
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .required
        }
        var second = try Pair(server: strict, client: client, resuming: first.client)
        #expect(second.handshake().serverFailure?.reason == .certificateRequired)
    }
}
