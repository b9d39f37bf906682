# Makes the appliance start with the machine, as a task of Windows. Run it as an administrator; --print only shows the task.
#   powershell -ExecutionPolicy Bypass -File install-service.ps1
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
& (Join-Path -Path $PSScriptRoot -ChildPath 'start.ps1') 'install-service' @args
exit $LASTEXITCODE
