# Builds dist\p9_microstream.exe (and on Linux dist/p9_microstream). Windows PowerShell 5.1 or PowerShell 7.
#   powershell -ExecutionPolicy Bypass -File build.ps1 [-QuickTest 15s]
# The logic is in p9/packaging/build.py; this finds a Python for it.
param([string]$QuickTest = '15s')
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
Set-Location -Path $PSScriptRoot

function Find-Python {
    foreach ($version in @('3.11', '3.12', '3.13')) {
        if (Get-Command -Name 'py' -ErrorAction SilentlyContinue) {
            $found = & py "-$version" -c 'import sys; print(sys.executable)' 2>$null
            if ($LASTEXITCODE -eq 0) { return $found }
        }
    }
    foreach ($name in @('python3', 'python')) {
        if (Get-Command -Name $name -ErrorAction SilentlyContinue) {
            $found = & $name -c 'import sys; print(sys.executable if (3, 11) <= sys.version_info[:2] <= (3, 13) else str())' 2>$null
            if ($LASTEXITCODE -eq 0 -and $found) { return $found }
        }
    }
    throw 'Python 3.11 to 3.13 was not found. Install it from python.org, with the option to add it to PATH.'
}

$python = Find-Python
Write-Host "building with $python"
& $python -m p9.packaging.build --quick-test $QuickTest
if ($LASTEXITCODE -ne 0) {
    Write-Host "the build failed with exit code $LASTEXITCODE" -ForegroundColor Red
    exit $LASTEXITCODE
}
