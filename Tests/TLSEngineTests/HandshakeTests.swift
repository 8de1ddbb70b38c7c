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
        #expect(pair.server.failure == nil)

        let request = pair.client.seal(Array("select 1".utf8))
        #expect(request.taken == 8)
        let opened = pair.server.open(pair.toServer + request.bytes)
        #expect(opened == .init(plain: Array("select 1".utf8), replies: [], state: .goesOn))
        let answer = pair.server.seal(Array("one".utf8))
        #expect(pair.client.open(pair.toClient + answer.bytes).plain == Array("one".utf8))
    }
}
