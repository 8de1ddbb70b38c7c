import Testing

@testable import TLSEngine

@Suite struct HandshakeTests {
    @Test(arguments: TLSVersion.allCases, [Int.max, 1, 7])
    func everyVersionInPiecesOfEverySize(version: TLSVersion, step: Int) throws {
        var pair = try Pair(
            server: Contexts.server(), client: Contexts.trustingClient { $0.maximumVersion = version })
        pair.step = step
        #expect(pair.handshake().isDone)
        #expect(pair.server.version == version)
        #expect(pair.client.versionText == version.rawValue)
        #expect(pair.server.cipher == pair.client.cipher)
        #expect(!pair.server.cipher.isEmpty)
        #expect(pair.server.serverName == "db.example.com")
        #expect(pair.server.alpn == "postgresql")
        #expect(pair.client.alpn == "postgresql")
        #expect(pair.server.peerCertificate == nil)
        #expect(pair.client.peerCertificate?.commonName == "server")
        #expect(pair.server.failure == nil)

        let request = pair.client.seal(Array("select 1".utf8))
        #expect(request.taken == 8)
        let opened = pair.server.open(pair.toServer + request.bytes)
        #expect(opened == .init(plain: Array("select 1".utf8), replies: [], state: .goesOn))
        let answer = pair.server.seal(Array("one".utf8))
        #expect(pair.client.open(pair.toClient + answer.bytes).plain == Array("one".utf8))
    }

    @Test func nothingIsKnownBeforeTheEnd() throws {
        let pair = try Pair(server: Contexts.server(), client: Contexts.client())
        for side in [pair.server, pair.client] {
            #expect(side.version == nil)
            #expect(side.cipher.isEmpty)
            #expect(side.alpn == nil)
            #expect(side.serverName == nil)
            #expect(side.peerCertificate == nil)
            #expect(side.endpointBinding == nil)
            #expect(!side.isResumed)
        }
    }

    /// One context serves all workers, and sessions move between them.
    @Test func contextsAreShared() async throws {
        let authority = try Certificates.authority.get()
        let identity = try Certificates.client.get()
        let server = try Contexts.server {
            $0.clientAuthorities = authority.certificate
            $0.clientCertificate = .optional
            $0.sessionTickets = true
        }
        let client = try Contexts.trustingClient {
            $0.certificateChain = identity.certificate
            $0.privateKey = identity.key
        }
        let names = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var name: String?
                    for _ in 0..<20 {
                        var pair = try Pair(server: server, client: client)
                        guard pair.handshake().isDone else { return nil }
                        await Task.yield()
                        _ = pair.server.open(pair.toServer + pair.client.seal([1]).bytes)
                        name = pair.server.peerCertificate?.commonName
                    }
                    return name
                }
            }
            return try await group.reduce(into: [String?]()) { $0.append($1) }
        }
        #expect(names == Array(repeating: "app", count: 8))
    }

    // MARK: Versions and ciphers

    @Test func versionsWithoutCommonOneFail() throws {
        var pair = try Pair(
            server: Contexts.server { $0.minimumVersion = .tls13 },
            client: Contexts.client { $0.maximumVersion = .tls12 })
        let outcome = pair.handshake()
        #expect(outcome.serverFailure?.reason == .unsupportedVersion)
        #expect(outcome.clientFailure?.reason == .peerAlert)
        #expect(outcome.clientFailure?.text == "the peer sent an alert: tlsv1 alert protocol version")
    }

    @Test func serverMayEndAtAnOlderVersion() throws {
        var pair = try Pair(server: Contexts.server { $0.maximumVersion = .tls12 }, client: Contexts.client())
        #expect(pair.handshake().isDone)
        #expect(pair.server.version == .tls12)
    }

    @Test func clientRefusesAnOlderVersion() throws {
        var pair = try Pair(
            server: Contexts.server { $0.maximumVersion = .tls12 },
            client: Contexts.client { $0.minimumVersion = .tls13 })
        let outcome = pair.handshake()
        #expect(outcome.serverFailure?.reason == .unsupportedVersion)
        #expect(outcome.clientFailure?.reason == .peerAlert)
    }

    @Test func ciphersOfTLS12AreChosenByTheServersOrder() throws {
        var pair = try Pair(
            server: Contexts.server {
                $0.cipherList = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"
            },
            client: Contexts.client {
                $0.maximumVersion = .tls12
                $0.cipherList = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
            })
        #expect(pair.handshake().isDone)
        #expect(pair.server.cipher == "ECDHE-ECDSA-CHACHA20-POLY1305")
    }

    @Test func cipherSuitesOfTLS13AreChosen() throws {
        var pair = try Pair(
            server: Contexts.server { $0.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256" }, client: Contexts.client())
        #expect(pair.handshake().isDone)
        #expect(pair.server.cipher == "TLS_CHACHA20_POLY1305_SHA256")
    }

    @Test func noSharedCipher() throws {
        var pair = try Pair(
            server: Contexts.server { $0.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256" },
            client: Contexts.client {
                $0.minimumVersion = .tls13
                $0.cipherSuites = "TLS_AES_128_GCM_SHA256"
            })
        let outcome = pair.handshake()
        #expect(outcome.serverFailure == TLSFailure(reason: .noSharedCipher, text: "no shared cipher"))
        #expect(outcome.clientFailure?.reason == .peerAlert)
    }

    @Test func noSharedCurve() throws {
        var pair = try Pair(
            server: Contexts.server { $0.curves = "P-384" },
            client: Contexts.client {
                $0.minimumVersion = .tls13
                $0.curves = "X25519"
            })
        #expect(pair.handshake().serverFailure?.reason == .noSharedCipher)
    }

    @Test func serversCurveIsAgreedOnBySecondTry() throws {
        var pair = try Pair(server: Contexts.server { $0.curves = "P-384" }, client: Contexts.client())
        #expect(pair.handshake().isDone)
    }

    /// A certificate of RSA with finite-field key exchange, the oldest that TLSv1.2 has with forward secrecy.
    @Test func finiteFieldKeyExchange() throws {
        let identity = try Certificates.workshop.get().leaf("dh-server", issuer: nil, key: .rsa)
        var pair = try Pair(
            server: Contexts.server(identity) { $0.maximumVersion = .tls12 },
            client: Contexts.client { $0.cipherList = "DHE-RSA-AES128-SHA256" })
        #expect(pair.handshake().isDone)
        #expect(pair.server.cipher == "DHE-RSA-AES128-SHA256")
        let plain = [UInt8](repeating: 9, count: 100_000)
        let sealed = pair.server.seal(plain)
        #expect(sealed.taken == plain.count)
        #expect(pair.client.open(pair.toClient + sealed.bytes).plain == plain)
    }

    // MARK: Server names and protocols

    @Test(arguments: ["127.0.0.1", "::1", "fe80::1%eth0"]) func addressesAreNoServerNames(host: String) throws {
        var pair = try Pair(server: Contexts.server(), client: Contexts.client(), host: host)
        #expect(pair.handshake().isDone)
        #expect(pair.server.serverName == nil)
    }

    @Test func aLastDotIsNoPartOfAServerName() throws {
        var pair = try Pair(server: Contexts.server(), client: Contexts.client(), host: "db.example.com.")
        #expect(pair.handshake().isDone)
        #expect(pair.server.serverName == "db.example.com")
    }

    @Test(arguments: ["a b", "a/b", "..", "ä.example", "*.example.com"]) func serverNamesThatAreNoneAreIgnored(
        host: String
    ) throws {
        var pair = try Pair(server: Contexts.server(), client: Contexts.client(), host: host)
        #expect(pair.handshake().isDone)
        #expect(pair.server.serverName == nil)
    }

    @Test func hostsThatAreNone() throws {
        let (any, checking) = (try Contexts.client(), try Contexts.trustingClient())
        for host in [String(repeating: "a", count: 256), "db\0.example.com"] {
            #expect(throws: TLSFailure.self) { try TLSSession(connectingWith: any, host: host, isDirect: false) }
        }
        for host in [nil, ""] {
            #expect(
                throws: TLSFailure(
                    reason: .hostMismatch, text: "no host name to verify the server's certificate with")
            ) {
                try TLSSession(connectingWith: checking, host: host, isDirect: false)
            }
            _ = try TLSSession(connectingWith: any, host: host, isDirect: false)
        }
    }

    @Test func contextsAreOfOneSide() throws {
        let (server, client) = (try Contexts.server(), try Contexts.client())
        #expect(throws: TLSFailure.self) { try TLSSession(accepting: client) }
        #expect(throws: TLSFailure.self) { try TLSSession(connectingWith: server, host: nil, isDirect: false) }
    }

    @Test func directConnectionAgreesOnTheProtocol() throws {
        var pair = try Pair(server: Contexts.server(), client: Contexts.client(), isDirect: true)
        #expect(pair.handshake().isDone)
        #expect(pair.server.alpn == "postgresql")
    }

    /// ClientHellos of `openssl s_client`, in which nothing but the protocols differs.
    @Test func protocolsThatClientsOffer() throws {
        #expect(try self.answer(toProtocols: ["http/1.1"]).reason == .noApplicationProtocol)
        #expect(try self.answer(toProtocols: ["postgres"]).reason == .noApplicationProtocol)
        #expect(try self.answer(toProtocols: ["postgresqlx", "h2"]).reason == .noApplicationProtocol)
        #expect(try self.answer(toProtocols: ["http/1.1", "postgresql"]).output > 500)
        #expect(try self.answer(toProtocols: ["postgresql"]).output > 500)
        #expect(try self.answer(toProtocols: []).output > 500)
    }

    private func answer(toProtocols names: [String]) throws -> (reason: TLSFailure.Reason?, output: Int) {
        let server = try TLSSession(accepting: Contexts.server())
        var output: [UInt8] = []
        let step = server.step(try ClientHello.withProtocols(names), &output)
        guard case .failed(let failure) = step else { return (nil, output.count) }
        #expect(!output.isEmpty, "an alert")
        return (failure.reason, output.count)
    }
}

/// The first words of a client, made by changing those of a session.
enum ClientHello {
    /// TLSv1.3 with the protocols (ALPN) given; none leaves the extension out.
    static func withProtocols(_ names: [String]) throws -> [UInt8] {
        let session = try TLSSession(connectingWith: Contexts.client(), host: nil, isDirect: false)
        var hello: [UInt8] = []
        _ = session.step([], &hello)
        // Type 16, length, length of the list, length of the name, the name.
        let own: [UInt8] = [0, 16, 0, 13, 0, 11, 10] + Array("postgresql".utf8)
        let start = try #require((0..<(hello.count - own.count)).first { hello[$0...].starts(with: own) })
        let list = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        let other = names.isEmpty ? [] : [0, 16, 0, UInt8(list.count + 2), 0, UInt8(list.count)] + list
        hello.replaceSubrange(start..<(start + own.count), with: other)
        let change = other.count - own.count
        // Lengths of the record, the message and all extensions: those stand behind version, random, session, ciphers.
        Self.add(change, to: &hello, at: 3)
        Self.add(change, to: &hello, at: 7)
        let sessionID = 5 + 4 + 2 + 32
        let ciphers = sessionID + 1 + Int(hello[sessionID])
        let compressions = ciphers + 2 + Int(hello[ciphers]) << 8 + Int(hello[ciphers + 1])
        Self.add(change, to: &hello, at: compressions + 1 + Int(hello[compressions]))
        return hello
    }

    private static func add(_ change: Int, to bytes: inout [UInt8], at index: Int) {
        let value = Int(bytes[index]) << 8 + Int(bytes[index + 1]) + change
        bytes[index] = UInt8(value >> 8)
        bytes[index + 1] = UInt8(value & 0xff)
    }
}
