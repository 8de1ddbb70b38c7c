import Foundation
import Testing

@testable import Gateway
@testable import Settings

@Suite("Console reference page")
struct ConsoleReferenceTests {
    /// The page of the checkout that this file is in.
    private static var page: URL? {
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            if FileManager.default.fileExists(atPath: folder.appendingPathComponent("Package.swift").path) {
                return folder.appendingPathComponent("Documentation/console.md")
            }
            folder.deleteLastPathComponent()
        }
        return nil
    }

    /// With WRITE_DOCUMENTATION in the environment the page is written instead of compared.
    @Test("Documentation/console.md is what the command table says")
    func page() throws {
        let page = try #require(Self.page)
        if ProcessInfo.processInfo.environment["WRITE_DOCUMENTATION"] != nil {
            try ConsoleReference.markdown.write(to: page, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOf: page, encoding: .utf8) == ConsoleReference.markdown,
            "run the tests once with WRITE_DOCUMENTATION=1 and commit the page"
        )
    }

    @Test("names every command, column and console database")
    func complete() {
        let page = ConsoleReference.markdown
        for command in ConsoleCommand.all {
            #expect(page.contains("\n## \(command.name)\n"))
            for column in command.columns { #expect(page.contains("| `\(column.name)` | \(column.type.rawValue) |")) }
        }
        for database in ConsoleReference.databases { #expect(page.contains("`\(database)`")) }
        #expect(page.hasSuffix("\n") && !page.hasSuffix("\n\n"))
        #expect(page.contains("](#invalidate-auth-databaseuser)"), "links are without the brackets of a heading")
    }

    @Test("no pool takes the name of a console database")
    func namesAreTheSettings() {
        #expect(ConsoleReference.databases == SettingsValidation.consoleDatabases)
    }
}
