import Foundation
import Testing

/// The borders between the rooms, read from the imports of every source file. The arrows point one way only; the pure
/// rooms know neither sockets nor clocks nor logs.
@Suite struct BorderTests {
    private static let rooms: Set<String> = [
        "AuthProviderTestKit", "AuthProviders", "CDigest", "CJWT", "CLDAP", "COpenSSL", "CPAM", "CReactor", "CSignals",
        "Gateway", "GatewayCommand", "HBA", "PGWire", "Pooling", "Reactor", "Sessions", "Settings", "TLSEngine",
        "Telemetry", "pggateway",
    ]

    /// Which rooms each room may know.
    private static let arrows: [String: Set<String>] = [
        "pggateway": ["GatewayCommand"],
        "GatewayCommand": [
            "AuthProviders", "CSignals", "Gateway", "HBA", "PGWire", "Settings", "Telemetry", "Reactor",
        ],
        "Gateway": [
            "AuthProviders", "CReactor", "HBA", "PGWire", "Pooling", "Reactor", "Sessions", "Settings", "TLSEngine",
            "Telemetry",
        ],
        "AuthProviders": ["CJWT", "CLDAP", "CPAM", "Sessions", "PGWire"],
        "AuthProviderTestKit": ["AuthProviders", "Sessions"],
        "Sessions": ["CDigest", "PGWire", "Pooling"],
        "Reactor": ["CReactor"],
        "HBA": ["PGWire"], "PGWire": [], "Pooling": [], "Settings": [], "Telemetry": ["CReactor"], "CJWT": [],
        "CReactor": [], "TLSEngine": ["COpenSSL"], "COpenSSL": [], "CDigest": [], "CSignals": [],
    ]

    private static let pureRooms: Set<String> = ["HBA", "PGWire", "Pooling", "Sessions", "TLSEngine"]
    private static let impureModules: Set<String> = [
        "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Logging", "Musl",
    ]

    private struct Source {
        /// Relative to the folder of all rooms.
        let path: String
        let room: String
        let imports: Set<String>
    }

    private static func sources() throws -> [Source] {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: root.path)
        return try paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
            let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            let room = path.split(separator: "/").first.map { String($0) } ?? ""
            return Source(path: path, room: room, imports: Self.imports(in: text))
        }
    }

    /// The modules that a source text imports, whatever the access level, attributes or kind of the import.
    private static func imports(in text: String) -> Set<String> {
        let kinds: Set<Substring> = ["class", "enum", "func", "let", "protocol", "struct", "typealias", "var"]
        var modules: Set<String> = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let keyword = words.firstIndex(of: "import") else { continue }
            let levels: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
            guard words[..<keyword].allSatisfy({ levels.contains($0) || $0.hasPrefix("@") }) else { continue }
            guard let name = words[(keyword + 1)...].first(where: { !kinds.contains($0) }) else { continue }
            modules.insert(String(name.prefix { $0 != "." && $0 != ";" }))
        }
        return modules
    }

    @Test func arrowsPointOneWay() throws {
        let sources = try Self.sources()
        #expect(Set(sources.map(\.room)).isSubset(of: Self.rooms), "a room without a rule")
        for source in sources {
            let allowed = try #require(Self.arrows[source.room])
            let crossed = source.imports.intersection(Self.rooms).subtracting(allowed)
            #expect(crossed.isEmpty, "\(source.path) imports \(crossed.sorted())")
        }
    }

    @Test func pureRoomsStayPure() throws {
        for source in try Self.sources() where Self.pureRooms.contains(source.room) {
            let impure = source.imports.filter { Self.impureModules.contains($0) || $0.hasPrefix("NIO") }
            #expect(impure.isEmpty, "\(source.path) imports \(impure.sorted())")
        }
    }

    /// The console's language and answers are made of values, although they live in the room that knows everyone.
    @Test func consoleKnowsTheWireOnly() throws {
        let sources = try Self.sources().filter { $0.path.hasPrefix("Gateway/Console/") }
        #expect(!sources.isEmpty)
        for source in sources {
            let others = source.imports.subtracting(["PGWire"])
            #expect(others.isEmpty, "\(source.path) imports \(others.sorted())")
        }
    }

    @Test func everyRoomIsRead() throws {
        let seen = Set(try Self.sources().map(\.room))
        let ofC: Set<String> = ["CDigest", "CJWT", "CLDAP", "COpenSSL", "CPAM", "CReactor", "CSignals"]
        #expect(seen == Self.rooms.subtracting(ofC))
    }

    @Test(arguments: [
        ("import Foundation", ["Foundation"]), ("package import PGWire", ["PGWire"]),
        ("@testable import Reactor", ["Reactor"]), ("@preconcurrency public import Logging", ["Logging"]),
        ("import struct Foundation.Data", ["Foundation"]), ("  import Glibc // why", ["Glibc"]),
        ("// import Glibc", []), ("/// Words that import Glibc", []), ("let text = \"x import Glibc\"", []),
        ("import A\nimport B\n", ["A", "B"]), ("important()", []),
    ])
    func importsAreRecognised(text: String, expected: [String]) {
        #expect(Self.imports(in: text) == Set(expected))
    }
}
