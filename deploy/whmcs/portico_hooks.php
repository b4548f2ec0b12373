<?php

/**
 * Tells Portico what has changed in WHMCS: one small signed event per change, with ids only.
 *
 * Install (WHMCS 8 and 9, PHP 7.2 or newer with curl):
 *   1. Copy this file to includes/hooks/ of WHMCS.
 *   2. Add to configuration.php, next to the database settings:
 *        define('PORTICO_HOOK_URL', 'https://portal.example/hooks/whmcs');
 *        define('PORTICO_HOOK_SECRET', 'whsec_...');   // the same as in WHMCS_HOOK_SECRETS of the portal
 *   3. Run `portico doctor` on the portal. Events that could not be delivered wait in the table
 *      mod_portico_spool, which this file makes when it first needs it; the cron of WHMCS sends them again.
 * To switch it off, put an underscore before the file's name.
 *
 * It prints nothing and swallows every error: stray output breaks the answers of the WHMCS API, and a portal that is
 * down must not be felt in WHMCS. Variables of hooks hold passwords and card data: only ids are ever taken out of them.
 */

use WHMCS\Database\Capsule;

if (!defined('WHMCS')) {
    exit;
}

if (!class_exists('PorticoHooks', false)) {
    final class PorticoHooks
    {
        const CONNECT_MS = 1000;
        const TOTAL_MS = 2000;
        /** All posts of one request together; the cron may take longer. */
        const BUDGET_SECONDS = 2.0;
        const CRON_BUDGET_SECONDS = 20.0;
        const SPOOL = 'mod_portico_spool';
        const SPOOL_ROWS_A_RUN = 200;
        /** The portal remembers ids for 7 days; what is older than this would be news to it again. */
        const SPOOL_DAYS = 6;

        /** @var array<string, array> events of this request by their content, so that each goes out once */
        private static $events = array();
        private static $isWaiting = false;

        /** Hook point => name of an id in the event => variables that may hold it. */
        public static function hookPoints()
        {
            $invoice = array('invoice' => array('invoiceid'));
            $service = array('service' => array('serviceid'));
            $order = array('order' => array('orderid'));
            $addon = array('addon' => array('id'), 'service' => array('serviceid'));
            $client = array();

            return array(
                'InvoiceCreation' => $invoice,
                'InvoiceCreated' => $invoice,
                'InvoicePaid' => $invoice,
                'AddInvoicePayment' => $invoice,
                // The vendor misspells the variable.
                'AddTransaction' => array('transaction' => array('id'), 'invoice' => array('invocieid', 'invoiceid')),
                'InvoiceUnpaid' => $invoice,
                'InvoiceCancelled' => $invoice,
                'InvoiceRefunded' => $invoice,
                'UpdateInvoiceTotal' => $invoice,
                'AddInvoiceLateFee' => $invoice,
                'InvoiceChangeGateway' => $invoice,
                'InvoiceSplit' => array('invoice' => array('originalinvoiceid'), 'new_invoice' => array('newinvoiceid')),
                'ClientAdd' => $client,
                'ClientEdit' => $client,
                'ClientClose' => $client,
                'PreDeleteClient' => $client,
                'CCUpdate' => $client,
                'AfterModuleCreate' => $service,
                'AfterModuleSuspend' => $service,
                'AfterModuleUnsuspend' => $service,
                'AfterModuleTerminate' => $service,
                'AfterModuleChangePackage' => $service,
                'ServiceEdit' => $service,
                'ServiceDelete' => $service,
                'ServiceRecurringCompleted' => $service,
                'CancellationRequest' => array('service' => array('relid')),
                'AfterProductUpgrade' => array('upgrade' => array('upgradeid')),
                'AddonActivation' => $addon,
                'AddonCancelled' => $addon,
                'AcceptOrder' => $order,
                'PendingOrder' => $order,
                'CancelOrder' => $order,
                'CancelAndRefundOrder' => $order,
                'FraudOrder' => $order,
                'DeleteOrder' => $order,
                'OrderPaid' => array('order' => array('orderId', 'orderid'), 'invoice' => array('invoiceId', 'invoiceid')),
                'AfterShoppingCartCheckout' => array('order' => array('OrderID'), 'invoice' => array('InvoiceID')),
            );
        }

        public static function note($event, array $names, $vars)
        {
            try {
                $vars = is_array($vars) ? $vars : array();
                // Hooks of modules wrap what they have to say.
                $said = isset($vars['params']) && is_array($vars['params']) ? $vars['params'] : $vars;
                $ids = array();
                foreach ($names as $name => $variables) {
                    $id = self::firstId($said, $variables);
                    if ($id !== null) {
                        $ids[$name] = $id;
                    }
                }
                $clientId = self::firstId($said, array('userid', 'userId', 'client_id', 'clientId'));
                self::remember($event, $clientId !== null ? $clientId : self::ownerOf($ids), $ids);
            } catch (\Throwable $error) {
                // A hook that fails must not stop what WHMCS was doing.
            }
        }

        /** Two clients became one: both are told of. */
        public static function noteMerge($vars)
        {
            foreach (array('toUserID', 'fromUserID') as $variable) {
                $clientId = self::firstId(is_array($vars) ? $vars : array(), array($variable));
                if ($clientId !== null) {
                    self::remember('AfterClientMerge', $clientId, array());
                }
            }
        }

        /** Many hooks fire before the change they tell of: posted at the end of the request, it is made. */
        public static function flush()
        {
            $deadline = microtime(true) + (PHP_SAPI === 'cli' ? self::CRON_BUDGET_SECONDS : self::BUDGET_SECONDS);
            $events = self::$events;
            self::$events = array();
            self::$isWaiting = false;
            foreach ($events as $event) {
                try {
                    $id = 'msg_' . bin2hex(random_bytes(16));
                    $body = json_encode($event);
                    if (microtime(true) >= $deadline || !self::post($id, $body)) {
                        self::spool($id, $body);
                    }
                } catch (\Throwable $error) {
                    // Lost: the portal's copies expire by themselves.
                }
            }
        }

        /** Sends what could not be delivered, oldest first, under its own id; stops where the portal is still away. */
        public static function resend()
        {
            try {
                if (!Capsule::schema()->hasTable(self::SPOOL)) {
                    return;
                }
                $oldest = gmdate('Y-m-d H:i:s', time() - self::SPOOL_DAYS * 86400);
                Capsule::table(self::SPOOL)->where('created_at', '<', $oldest)->delete();
                $deadline = microtime(true) + self::CRON_BUDGET_SECONDS;
                $rows = Capsule::table(self::SPOOL)->orderBy('number')->limit(self::SPOOL_ROWS_A_RUN)->get();
                foreach ($rows as $row) {
                    if (microtime(true) >= $deadline || !self::post($row->id, $row->body)) {
                        return;
                    }
                    Capsule::table(self::SPOOL)->where('number', $row->number)->delete();
                }
            } catch (\Throwable $error) {
                // The next run of the cron tries again.
            }
        }

        private static function remember($event, $clientId, array $ids)
        {
            $said = array(
                'event' => $event,
                'whmcs_client_id' => $clientId,
                'ids' => (object) $ids,
                'at' => date('c'),
                'source' => defined('PORTICO_HOOK_SOURCE') ? PORTICO_HOOK_SOURCE : 'prod',
            );
            self::$events[json_encode(array($event, $clientId, $ids))] = $said;
            if (!self::$isWaiting) {
                self::$isWaiting = true;
                register_shutdown_function(array('PorticoHooks', 'flush'));
            }
        }

        private static function firstId(array $vars, array $variables)
        {
            foreach ($variables as $variable) {
                $value = isset($vars[$variable]) ? $vars[$variable] : null;
                if ((is_int($value) || (is_string($value) && ctype_digit($value))) && (int) $value > 0) {
                    return (int) $value;
                }
            }

            return null;
        }

        /** The client of the first thing that has one; here it is a look into a table, for the portal a call. */
        private static function ownerOf(array $ids)
        {
            if (isset($ids['upgrade'])) {
                $ids['order'] = Capsule::table('tblupgrades')->where('id', $ids['upgrade'])->value('orderid');
            }
            $owners = array(
                'invoice' => array('tblinvoices', 'userid'),
                'service' => array('tblhosting', 'userid'),
                'order' => array('tblorders', 'userid'),
                'addon' => array('tblhostingaddons', 'userid'),
            );
            foreach ($owners as $name => $place) {
                if (!empty($ids[$name])) {
                    $owner = Capsule::table($place[0])->where('id', $ids[$name])->value($place[1]);
                    if ($owner) {
                        return (int) $owner;
                    }
                }
            }

            return null;
        }

        /** Standard Webhooks 1.0. True when the portal has stored it, or will never want it. */
        private static function post($id, $body)
        {
            $timestamp = (string) time();
            $encoded = strpos(PORTICO_HOOK_SECRET, 'whsec_') === 0 ? substr(PORTICO_HOOK_SECRET, 6) : PORTICO_HOOK_SECRET;
            $mac = hash_hmac('sha256', $id . '.' . $timestamp . '.' . $body, base64_decode($encoded), true);
            $curl = curl_init(PORTICO_HOOK_URL);
            curl_setopt_array($curl, array(
                CURLOPT_POST => true,
                CURLOPT_POSTFIELDS => $body,
                CURLOPT_RETURNTRANSFER => true,
                CURLOPT_FOLLOWLOCATION => false,
                CURLOPT_NOSIGNAL => true,
                CURLOPT_CONNECTTIMEOUT_MS => self::CONNECT_MS,
                CURLOPT_TIMEOUT_MS => self::TOTAL_MS,
                CURLOPT_HTTPHEADER => array(
                    'Content-Type: application/json',
                    'Expect:',
                    'webhook-id: ' . $id,
                    'webhook-timestamp: ' . $timestamp,
                    'webhook-signature: v1,' . base64_encode($mac),
                ),
            ));
            curl_exec($curl);
            $status = (int) curl_getinfo($curl, CURLINFO_HTTP_CODE);
            curl_close($curl);

            // 400 and 413 say that this body will never do; 401 may be a secret that is being changed.
            return ($status >= 200 && $status < 300) || $status === 400 || $status === 413;
        }

        private static function spool($id, $body)
        {
            if (!Capsule::schema()->hasTable(self::SPOOL)) {
                Capsule::schema()->create(self::SPOOL, function ($table) {
                    $table->bigIncrements('number');
                    $table->string('id', 64)->unique();
                    $table->text('body');
                    $table->dateTime('created_at')->index();
                });
            }
            Capsule::table(self::SPOOL)->insert(array(
                'id' => $id,
                'body' => $body,
                'created_at' => gmdate('Y-m-d H:i:s'),
            ));
        }
    }

    if (defined('PORTICO_HOOK_URL') && defined('PORTICO_HOOK_SECRET') && function_exists('curl_init')) {
        foreach (PorticoHooks::hookPoints() as $porticoEvent => $porticoNames) {
            add_hook($porticoEvent, 100, function ($vars) use ($porticoEvent, $porticoNames) {
                PorticoHooks::note($porticoEvent, $porticoNames, $vars);
            });
        }
        add_hook('AfterClientMerge', 100, function ($vars) {
            PorticoHooks::noteMerge($vars);
        });
        add_hook('AfterCronJob', 100, function () {
            PorticoHooks::resend();
        });
    }
}
