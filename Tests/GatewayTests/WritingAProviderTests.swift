import Foundation
import Testing

/// The page about writing a provider shows code that is compiled: the example's.
@Suite struct WritingAProviderTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func blocks() throws -> [String] {
        let page = Self.root.appendingPathComponent("Documentation/writing-a-provider.md")
        let parts = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "\n```")
        return parts.filter { $0.hasPrefix("swift\n") }.map { String($0.dropFirst("swift\n".count)) }
    }

    @Test func everyBlockStandsInTheExample() throws {
        let example = Self.root.appendingPathComponent("Examples/CustomProvider")
        var sources: [String] = [try String(contentsOf: example.appendingPathComponent("Package.swift"), encoding: .utf8)]
        for folder in ["Sources", "Tests"] {
            let folder = example.appendingPathComponent(folder)
            for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.hasSuffix(".swift") {
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
