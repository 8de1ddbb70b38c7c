// swift-tools-version: 6.3
import PackageDescription

/// Every target of ours is built under the same strict rules; a warning stops the build.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
]

/// A room of the house: a library target.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ room: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(room)Tests",
        dependencies: [.byName(name: room)] + dependencies,
        exclude: exclude,
        swiftSettings: strict
    )
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let collections: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")

/// Only for `make provider-guide`: whoever builds the gateway, or depends on it, need not fetch what makes its pages.
let documentation: [Package.Dependency] =
    Context.environment["PGGATEWAY_DOCC"] == "1"
    ? [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")] : []

let package = Package(
    name: "pggateway",
    products: [
        .executable(name: "pggateway", targets: ["pggateway"]),
        // For gateways with providers of their own; see Sources/AuthProviders/AuthProviders.docc.
        .library(name: "AuthProviders", targets: ["AuthProviders", "Sessions"]),
        .library(name: "AuthProviderTestKit", targets: ["AuthProviderTestKit"]),
        .library(name: "GatewayCommand", targets: ["GatewayCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ] + documentation,
    targets: [
        .target(name: "CReactor"),
        // Of programs only: whatever links it has its signals held from the first moment.
        .target(name: "CSignals"),
        .target(name: "CDigest", linkerSettings: [.linkedLibrary("crypto")]),
        .systemLibrary(name: "CPAM"),
        .systemLibrary(name: "CLDAP"),
        .target(name: "CJWT", linkerSettings: [.linkedLibrary("jwt"), .linkedLibrary("crypto")]),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        room("PGWire"),
        room("HBA", ["PGWire"]),
        room("Pooling"),
        room("Sessions", ["PGWire", "Pooling", "CDigest"]),
        room("AuthProviders", ["Sessions", "PGWire", "CJWT", "CLDAP", "CPAM", collections]),
        room("AuthProviderTestKit", ["AuthProviders", "Sessions"]),
        room("Reactor", ["CReactor"]),
        room("TLSEngine", ["COpenSSL"]),
        room("Settings", [.product(name: "Yams", package: "Yams"), .product(name: "TOMLKit", package: "TOMLKit")]),
        room("Telemetry", ["CReactor", logging]),
        room(
            "Gateway",
            [
                "AuthProviders", "HBA", "PGWire", "Pooling", "Reactor", "Sessions", "Settings", "TLSEngine",
                "Telemetry", "CReactor", collections, logging,
            ]
        ),
        room(
            "GatewayCommand",
            [
                "AuthProviders", "CSignals", "Gateway", "HBA", "PGWire", "Reactor", "Settings", "Telemetry", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(name: "pggateway", dependencies: ["GatewayCommand"], swiftSettings: strict),
        tests("PGWire"),
        tests("HBA", ["PGWire"], exclude: ["Oracle"]),
        tests("Pooling"),
        tests("Sessions", ["PGWire"]),
        // Makes and forges the tokens that tests log in with.
        .target(name: "CTokenForge", path: "Tests/CTokenForge", linkerSettings: [.linkedLibrary("crypto")]),
        tests("AuthProviders", ["AuthProviderTestKit", "Sessions", "PGWire", "CLDAP", "CTokenForge"]),
        tests("Reactor", ["CReactor"]),
        tests("TLSEngine"),
        tests("Settings"),
        tests("Telemetry"),
        tests("Gateway", ["AuthProviders", "PGWire", "Reactor", "Sessions", "Settings", logging]),
    ]
)
