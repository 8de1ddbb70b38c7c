import Foundation
import Settings
import Testing

/// The committed reference page and sample are what the table says. `PGGATEWAY_WRITE_REFERENCE=1` writes them anew.
@Suite struct ReferenceTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let sampleEnvironment = [
        "PGGATEWAY_ADMIN_PASSWORD": "x", "PGGATEWAY_APP_PASSWORD": "md50123456789abcdef0123456789abcdef",
    ]

    @Test(arguments: [
        ("Documentation/settings.md", SettingsReference.markdown),
        ("pggateway.sample.yaml", SettingsReference.sampleYAML),
    ])
    func committedFileIsGenerated(name: String, text: String) throws {
        let url = Self.root.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["PGGATEWAY_WRITE_REFERENCE"] == "1" {
            try text.write(to: url, atomically: false, encoding: .utf8)
        }
        let committed = try String(contentsOf: url, encoding: .utf8)
        #expect(committed == text, "write it anew with PGGATEWAY_WRITE_REFERENCE=1 swift test --filter ReferenceTests")
    }

    @Test(arguments: SettingsReference.examples.map(\.text))
    func examplesLoadWithoutWarnings(text: String) throws {
        let names = ["ADMIN_PASSWORD", "REPORT_PASSWORD", "SHOP_APP", "RO", "APP_OWNER", "APP_RO", "APP_RW"]
        let environment = Dictionary(uniqueKeysWithValues: names.map { ($0, "secret-text") })
        let settings = try Load.yaml(text, environment: environment)
        #expect(settings.warnings.isEmpty && settings.pools.map(\.name) == ["shop"])
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { SettingsReference.markdown.contains($0) })
    }

    @Test func sampleLoadsWithoutWarnings() throws {
        let settings = try Load.yaml(SettingsReference.sampleYAML, environment: Self.sampleEnvironment)
        #expect(settings.warnings.isEmpty)
        #expect(settings.general.port == 6432)
        #expect(settings.pools.map(\.name) == ["example_db"])
        #expect(settings.pools.first?.users.map(\.poolSize) == [20])
    }

    /// With every commented key switched on, nothing changes: they show the defaults.
    @Test func commentedKeysAreTheDefaults() throws {
        let sample = SettingsReference.sampleYAML
        let lines = sample.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let body = line.drop { $0 == " " }
            guard body.hasPrefix("#"), !body.hasPrefix("# "), body.count > 1 else { return String(line) }
            return String(line.prefix(line.count - body.count)) + body.dropFirst()
        }
        let full = lines.joined(separator: "\n")
        #expect(full != sample)
        let expected = try Load.yaml(sample, environment: Self.sampleEnvironment)
        let settings = try Load.yaml(full, environment: Self.sampleEnvironment)
        #expect(settings.general == expected.general)
        #expect(settings.pools == expected.pools)
    }

    @Test func everyKeyIsInTheReference() {
        let page = SettingsReference.markdown
        let sample = SettingsReference.sampleYAML
        for key in SettingsTable.keys {
            #expect(page.contains("| `\(key.name)`"), "\(key.name)")
            if key.isSupported { #expect(sample.contains("\(key.name):"), "\(key.name)") }
        }
        #expect(!sample.split(separator: "\n").contains { $0.count > 120 })
    }
}
