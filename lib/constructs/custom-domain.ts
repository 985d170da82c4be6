import { CfnApiMapping, DomainName, type IDomainName, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2';
import type { ICertificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Token } from 'aws-cdk-lib/core';
import type { Construct, IConstruct } from 'constructs';
import type { Problem } from './problems.js';

/** A regional domain name that exists, or a name with its certificate: then the domain name is created, with TLS 1.2 at least. */
export type CustomDomain = ExistingDomain | NewDomain;

/** Which paths of a domain name lead to the API. */
export interface DomainMapping {
  /**
   * The first part of the path below the domain name, without slashes around it: `vision` for https://example.com/vision/v2.
   * @default - none: the API has the domain name for itself
   */
  readonly mappingKey?: string;
}

/** A domain name of API Gateway that is there already. */
export interface ExistingDomain extends DomainMapping {
  /** For HTTP APIs. */
  readonly domainName: IDomainName;
}

/** A domain name to create. */
export interface NewDomain extends DomainMapping {
  /** For example `vision.example.com`. Its DNS record is yours to make: see `InferenceApi.domainName`. */
  readonly name: string;
  /** Of ACM, in the API's region. */
  readonly certificate: ICertificate;
}

const NAME = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/;
/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html */
const MAPPING_KEY = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;
const MAX_MAPPING_KEY = 300;

export function bindCustomDomain(scope: Construct, id: string, domain: CustomDomain): IDomainName {
  if ('domainName' in domain) return domain.domainName;
  return new DomainName(scope, id, {
    domainName: domain.name,
    certificate: domain.certificate,
    securityPolicy: SecurityPolicy.TLS_1_2,
  }) as IDomainName;
}

export interface MappedStage {
  readonly apiId: string;
  readonly stageName: string;
  readonly stage: IConstruct;
}

/**
 * Maps a domain name to an API's stage, of either type of API, and returns the URL. The mapping is the same resource for both types and takes
 * another API without an interruption, so the URL outlives a change of `apiType`.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-apimapping.html
 */
export function mapCustomDomain(
  scope: Construct,
  domainName: IDomainName,
  { mappingKey }: CustomDomain,
  { apiId, stageName, stage }: MappedStage,
): string {
  const mapping = new CfnApiMapping(scope, 'DomainMapping', {
    domainName: domainName.name,
    apiId,
    stage: stageName,
    ...(mappingKey === undefined ? {} : { apiMappingKey: mappingKey }),
  });
  mapping.node.addDependency(stage);
  return `https://${domainName.name}${mappingKey === undefined ? '' : `/${mappingKey}`}`;
}

/** What is wrong with a custom domain. */
export function customDomainProblems(domain: CustomDomain | undefined): Problem[] {
  if (domain === undefined) return [];
  return [...('name' in domain ? nameProblems(domain.name) : []), ...mappingKeyProblems(domain.mappingKey)];
}

function nameProblems(name: string): Problem[] {
  if (Token.isUnresolved(name) || NAME.test(name)) return [];
  return [
    {
      code: 'CUSTOM_DOMAIN_NAME_INVALID',
      message: `customDomain's name is '${name}'.`,
      advice: 'Give a domain name in lower case, without https:// and without a path, such as vision.example.com.',
    },
  ];
}

function mappingKeyProblems(mappingKey: string | undefined): Problem[] {
  if (mappingKey === undefined || Token.isUnresolved(mappingKey)) return [];
  if (MAPPING_KEY.test(mappingKey) && mappingKey.length <= MAX_MAPPING_KEY) return [];
  return [
    {
      code: 'MAPPING_KEY_INVALID',
      message: `customDomain's mappingKey is '${mappingKey}'.`,
      advice: `Use letters, digits, _, . and - with a / between parts and none around them, ${MAX_MAPPING_KEY} characters at most; leave it out for the whole domain name.`,
    },
  ];
}
