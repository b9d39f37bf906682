# Starts p9_microstream: the one beside this script, else the one that was built in this checkout. Options go to it.
#   powershell -ExecutionPolicy Bypass -File start.ps1 [--simulate ...]
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

foreach ($place in @('p9_microstream.exe', '../dist/p9_microstream.exe', '../.venv/Scripts/p9_microstream.exe', 'p9_microstream', '../dist/p9_microstream')) {
    $program = Join-Path -Path $PSScriptRoot -ChildPath $place
    if (Test-Path -LiteralPath $program -PathType Leaf) {
        & $program @args
        exit $LASTEXITCODE
    }
}
Write-Host 'error: there is no p9_microstream beside this script or in this checkout; build it with build.ps1' -ForegroundColor Red
exit 127
