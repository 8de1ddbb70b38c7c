import Foundation
import Testing

/// Pages that lead through the code name files that are there.
@Suite struct PagePathsTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test(arguments: ["README.md", "Documentation/house-words.md"])
    func everyPathIsThere(page: String) throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent(page), encoding: .utf8)
        let paths = text.split(separator: "`").filter { $0.hasPrefix("Sources/") && !$0.contains("\n") }
        #expect(paths.count > 10)
        for path in paths {
            let file = Self.root.appendingPathComponent(String(path)).path
            #expect(FileManager.default.fileExists(atPath: file), "\(page) names \(path)")
        }
    }
}
