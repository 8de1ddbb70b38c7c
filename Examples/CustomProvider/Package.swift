// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "custom-provider",
    dependencies: [
        .package(name: "pggateway", path: "../..")
    ],
    targets: [
        .target(name: "OneTimeCodes", dependencies: [.product(name: "AuthProviders", package: "pggateway")]),
        .executableTarget(
            name: "otp-gateway",
            dependencies: ["OneTimeCodes", .product(name: "GatewayCommand", package: "pggateway")]
        ),
        .testTarget(
            name: "OneTimeCodesTests",
            dependencies: ["OneTimeCodes", .product(name: "AuthProviderTestKit", package: "pggateway")]
        ),
    ]
)
