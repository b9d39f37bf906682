# Stops the appliance that start.ps1 started, and waits until it has.
#   powershell -ExecutionPolicy Bypass -File stop.ps1
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
& (Join-Path -Path $PSScriptRoot -ChildPath 'start.ps1') 'stop' @args
exit $LASTEXITCODE
