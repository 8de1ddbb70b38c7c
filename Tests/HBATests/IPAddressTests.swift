import Testing

@testable import HBA

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("10.1.2.3", "10.1.2.3"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("::0", "::"), ("0:0:0:0:0:0:0:0", "::"),
        ("2001:DB8::00a1", "2001:db8::a1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:0:0:4:0:0:0:8", "1:0:0:4::8"), ("1:0:0:4:5:0:0:8", "1::4:5:0:0:8"),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("::10.0.0.1", "::a00:1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("::ffff:10.0.0.1", "10.0.0.1"), ("::FFFF:0a00:0001", "10.0.0.1"), ("0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"),
        ("::ffff:0:10.0.0.1", "::ffff:0:a00:1"),
    ])
    func readsAndWrites(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
        #expect(address.bytes.count == (address.family == .v4 ? 4 : 16))
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1", "1.2", "1.2.3", "1.2.3.", "1.2.3.4.", ".1.2.3.4", "1..2.3", "1.2.3.4.5",
        "256.0.0.1",
        "1.2.3.999", "1.2.3.0004", "01.2.3.4", "1.2.3.00", "0x1.2.3.4", "+1.2.3.4", "-1.2.3.4", " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3.a", "1.2.3.4/32", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "::1::", "1:", ":1",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4::5:6:7:8", "12345::", "g::", "::1%eth0", "[::1]", "::1.2.3", "::1.2.3.4.5", "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4", "::\u{661}", "\u{661}.2.3.4", "1.2.3.4\0", "::ffff:10.0.0.256",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    ])
    func refuses(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func everyPieceOfAnAddressIsReadOrRefused() {
        let text = "0123:4567::ffff:0:255.255.255.255"
        for start in text.indices {
            for end in text.indices[start...] {
                let piece = String(text[start..<end])
                if let address = IPAddress(piece) {
                    #expect(IPAddress(address.description) == address)
                }
            }
        }
    }

    @Test(arguments: [0, 1, 3, 5, 8, 15, 17, 32])
    func refusesOtherByteCounts(_ count: Int) {
        #expect(IPAddress(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func mappedSocketAddressesBecomeIPv4() throws {
        let mapped = try #require(IPAddress(bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]))
        #expect(mapped == IPAddress(bytes: [10, 0, 0, 1]))
        let compatible = try #require(IPAddress(bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]))
        #expect(compatible.family == .v6)
        let exact = try #require(IPAddress(exactly: "::ffff:10.0.0.1"))
        #expect(exact.description == "::ffff:10.0.0.1")
        #expect(exact.family == .v6)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3/8", "10.9.9.9", true),
        ("0.0.0.0/0", "255.1.2.3", true), ("0.0.0.0/0", "::", false), ("::/0", "1.2.3.4", false),
        ("::/0", "ff::1", true),
        ("::ffff:0:0/95", "::fffe:102:304", true), ("192.0.2.7/32", "192.0.2.7", true),
        ("192.0.2.7/32", "192.0.2.6", false),
        ("128.0.0.0/1", "127.255.255.255", false), ("128.0.0.0/1", "128.0.0.0", true),
        ("2001:db8::/64", "2001:db8::ffff", true),
        ("2001:db8::/64", "2001:db8:0:1::", false), ("2001:db8::/65", "2001:db8:0:0:8000::", false),
        ("2001:db8::/63", "2001:db8:0:1::", true), ("::1/128", "::1", true), ("::1/128", "::2", false),
        ("::/127", "::1", true),
    ])
    func containment(_ network: String, _ peer: String, _ expected: Bool) throws {
        guard case .network(let range) = IPNetwork.parse(network) else {
            Issue.record("\(network) is not read")
            return
        }
        #expect(range.contains(try #require(IPAddress(peer))) == expected)
    }

    @Test func masksAreOnesThenZeros() throws {
        for length in 0...32 {
            let bits: UInt64 = length == 0 ? 0 : (UInt64.max << UInt64(32 - length)) & 0xffff_ffff
            #expect(IPNetwork.prefixLength(ofMask: IPAddress(family: .v4, high: 0, low: bits)) == length)
        }
        for length in 0...128 {
            let high: UInt64 = length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
            let low: UInt64 = length <= 64 ? 0 : ~(UInt64.max >> UInt64(length - 64))
            #expect(IPNetwork.prefixLength(ofMask: IPAddress(family: .v6, high: high, low: low)) == length)
        }
        for text in ["255.0.255.0", "0.0.0.1", "25.255.255.0", "255.255.253.0", "ffff:0:1::", "::1", "7fff::"] {
            #expect(IPNetwork.prefixLength(ofMask: try #require(IPAddress(text))) == nil, "\(text)")
        }
    }

    @Test func prefixLengthsAreBounded() throws {
        let v4 = try #require(IPAddress("10.0.0.1"))
        let v6 = try #require(IPAddress("::1"))
        for length in [-1, 33, 128, Int.max, Int.min] {
            #expect(IPNetwork(address: v4, prefixLength: length) == nil)
        }
        for length in [-1, 129, Int.max] {
            #expect(IPNetwork(address: v6, prefixLength: length) == nil)
        }
    }
}
