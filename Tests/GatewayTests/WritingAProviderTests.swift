import Foundation
import Testing

/// The guide to writing a provider shows code that is compiled: the example's.
@Suite struct WritingAProviderTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func blocks() throws -> [String] {
        let guide = Self.root.appendingPathComponent("Sources/AuthProviders/AuthProviders.docc")
        var blocks: [String] = []
        for path in try FileManager.default.subpathsOfDirectory(atPath: guide.path) where path.hasSuffix(".md") {
            let page = try String(contentsOf: guide.appendingPathComponent(path), encoding: .utf8)
            let parts = page.components(separatedBy: "\n```").filter { $0.hasPrefix("swift\n") }
            blocks += parts.map { String($0.dropFirst("swift\n".count)) }
        }
        return blocks
    }

    @Test func everyBlockStandsInTheExample() throws {
        let example = Self.root.appendingPathComponent("Examples/CustomProvider")
        let manifest = example.appendingPathComponent("Package.swift")
        var sources: [String] = [try String(contentsOf: manifest, encoding: .utf8)]
        for folder in ["Sources", "Tests"] {
            let folder = example.appendingPathComponent(folder)
            let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            for path in paths where path.hasSuffix(".swift") {
                sources.append(try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8))
            }
        }
        let blocks = try Self.blocks()
        #expect(blocks.count >= 6)
        for block in blocks { #expect(sources.contains { $0.contains(block) }, "not in the example:\n\(block)") }
    }

    @Test func theExampleIsShort() throws {
        let sources = Self.root.appendingPathComponent("Examples/CustomProvider/Sources")
        var lines = 0
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources.path) where path.hasSuffix(".swift") {
            let text = try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8)
            lines += text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        }
        #expect(lines > 0 && lines < 100)
    }
}
